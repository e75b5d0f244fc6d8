"""Migrating without rendering half of the models for every constraint.

For each constraint and index that a migration adds or removes, Django renders the model again,
and all that are related to it. Here nearly all are related, through the marketplace, and nine
tenths of the time that a new database takes went there. Constraints and indexes change nothing
about relations, so the one model is told of them instead.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps

from django.db.migrations.state import ProjectState

CHANGES = (
    "add_constraint",
    "remove_constraint",
    "alter_constraint",
    "add_index",
    "remove_index",
    "rename_index",
)


@contextmanager
def told_in_place() -> Iterator[None]:
    """While this lasts, rendered models are told of their constraints and indexes."""
    changes = {name: getattr(ProjectState, name) for name in CHANGES}
    for name, change in changes.items():
        setattr(ProjectState, name, _in_place(change))
    try:
        yield
    finally:
        for name, change in changes.items():
            setattr(ProjectState, name, change)


def _in_place(change: Callable[..., None]) -> Callable[..., None]:
    @wraps(change)
    def changed(state: ProjectState, app_label: str, model_name: str, *args) -> None:
        rendered = state.__dict__.pop("apps", None)  # Django renders again only what is rendered
        change(state, app_label, model_name, *args)
        if rendered is None:
            return
        state.__dict__["apps"] = rendered
        options = state.models[app_label, model_name.lower()].options
        meta = rendered.get_model(app_label, model_name)._meta
        meta.constraints, meta.indexes = options["constraints"], options["indexes"]

    return changed
