"""Migrating without rendering half of the models for every change.

For each model, field, constraint and index that a migration adds, Django renders the model again,
and all that are related to it. Here nearly all are related, through the marketplace, and nine
tenths of the time that a new database takes went there. A new model is rendered alone instead, as
nothing names it yet; and of what changes nothing about relations, a field that is none, a
constraint, an index, the one model is told.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps

from django.db.migrations.state import ProjectState
from django.db.models import Field

OPTIONS = (
    "add_constraint",
    "remove_constraint",
    "alter_constraint",
    "add_index",
    "remove_index",
    "rename_index",
)
CHANGES = ("add_model", "add_field", *OPTIONS)


@contextmanager
def told_in_place() -> Iterator[None]:
    """While this lasts, rendered models are told of what does not change their relations."""
    changes = {name: getattr(ProjectState, name) for name in CHANGES}
    for name, change in changes.items():
        setattr(ProjectState, name, _in_place(change, _TELL.get(name, _tell_options)))
    try:
        yield
    finally:
        for name, change in changes.items():
            setattr(ProjectState, name, change)


def _in_place(change: Callable[..., None], tell: Callable[..., None]) -> Callable[..., None]:
    @wraps(change)
    def changed(state: ProjectState, *args) -> None:
        if any(isinstance(argument, Field) and argument.is_relation for argument in args):
            change(state, *args)
            return
        rendered = state.__dict__.pop("apps", None)  # Django renders again only what is rendered
        change(state, *args)
        if rendered is not None:
            state.__dict__["apps"] = rendered
            tell(state, rendered, *args)

    return changed


def _tell_options(state, rendered, app_label, model_name, *_) -> None:
    options = state.models[app_label, model_name.lower()].options
    meta = rendered.get_model(app_label, model_name)._meta
    meta.constraints, meta.indexes = options["constraints"], options["indexes"]


def _tell_field(state, rendered, app_label, model_name, name, *_) -> None:
    field = state.models[app_label, model_name.lower()].fields[name]
    rendered.get_model(app_label, model_name).add_to_class(name, field.clone())


def _tell_model(state, rendered, model_state) -> None:
    rendered.render_multiple([model_state])


_TELL = {"add_model": _tell_model, "add_field": _tell_field}
