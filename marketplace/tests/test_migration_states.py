from contextlib import nullcontext

from django.db import models
from django.db.migrations.state import ModelState, ProjectState

from marketplace import migration_states

CHECK = models.CheckConstraint(condition=models.Q(amount__gt=0), name="above_zero")
INDEX = models.Index(fields=["amount"], name="by_amount")


def rendered():
    """A state with a payment and what it is for, both rendered."""
    state = ProjectState()
    state.add_model(ModelState("shop", "Order", [("id", models.BigAutoField(primary_key=True))]))
    fields = [
        ("id", models.BigAutoField(primary_key=True)),
        ("amount", models.IntegerField()),
        ("order", models.ForeignKey("shop.Order", models.CASCADE)),
    ]
    state.add_model(ModelState("shop", "Payment", fields))
    state.apps  # noqa: B018 (renders)
    return state


def options(state):
    meta = state.apps.get_model("shop", "Payment")._meta
    return [entry.name for entry in meta.constraints], [entry.name for entry in meta.indexes]


class TestToldInPlace:
    def test_tells_the_model_what_a_new_rendering_would(self):
        told, again = rendered(), rendered()
        payment = told.apps.get_model("shop", "Payment")
        for state in (told, again):
            context = migration_states.told_in_place() if state is told else nullcontext()
            with context:
                state.add_constraint("shop", "payment", CHECK)
                state.add_index("shop", "payment", INDEX)
                assert options(state) == (["above_zero"], ["by_amount"])
                state.remove_constraint("shop", "payment", "above_zero")
                assert options(state) == ([], ["by_amount"])
        assert told.apps.get_model("shop", "Payment") is payment
        assert again.apps.get_model("shop", "Payment") is not payment
        assert told.models["shop", "payment"].options == again.models["shop", "payment"].options

    def test_renders_nothing_that_was_not(self):
        state = ProjectState()
        state.add_model(rendered().models["shop", "order"])
        with migration_states.told_in_place():
            state.add_constraint("shop", "order", CHECK)
        assert "apps" not in state.__dict__

    def test_leaves_django_as_it_was(self):
        before = [getattr(ProjectState, name) for name in migration_states.CHANGES]
        with migration_states.told_in_place():
            assert [getattr(ProjectState, name) for name in migration_states.CHANGES] != before
        assert [getattr(ProjectState, name) for name in migration_states.CHANGES] == before
