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

    def test_gives_a_model_its_new_field_and_keeps_its_relations(self):
        state = rendered()
        payment = state.apps.get_model("shop", "Payment")
        with migration_states.told_in_place():
            state.add_field("shop", "payment", "note", models.TextField(default="x"), False)
        assert state.apps.get_model("shop", "Payment") is payment
        assert [field.name for field in payment._meta.get_fields()] == [
            *("id", "amount", "order", "note"),
        ]
        assert not payment._meta.get_field("note").has_default()  # it was for the rows there were
        assert state.models["shop", "payment"].fields["note"] is not payment._meta.get_field("note")

    def test_renders_again_for_a_field_that_is_a_relation(self):
        state = rendered()
        payment = state.apps.get_model("shop", "Payment")
        paid_back = models.ForeignKey("shop.Order", models.CASCADE, related_name="+", null=True)
        with migration_states.told_in_place():
            state.add_field("shop", "payment", "paid_back", paid_back, True)
        assert state.apps.get_model("shop", "Payment") is not payment

    def test_renders_a_new_model_beside_the_others(self):
        state = rendered()
        order = state.apps.get_model("shop", "Order")
        fields = [
            ("id", models.BigAutoField(primary_key=True)),
            ("order", models.ForeignKey("shop.Order", models.CASCADE)),
        ]
        with migration_states.told_in_place():
            state.add_model(ModelState("shop", "Parcel", fields))
        parcel = state.apps.get_model("shop", "Parcel")
        assert state.apps.get_model("shop", "Order") is order
        assert parcel._meta.get_field("order").related_model is order
        assert {relation.name for relation in order._meta.related_objects} == {"payment", "parcel"}

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
