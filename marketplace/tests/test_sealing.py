"""Sealing needs no database: a row here is any object that knows its fields."""

import pytest
from django.db import models

from marketplace import sealing

OLD, NEW = b"o" * 32, b"n" * 32
NUMBER = "110-123-456789"


class Account(models.Model):
    """Never a table: it is here for its fields."""

    marketplace_id = models.BigIntegerField()
    public_id = models.CharField(max_length=40)
    number = sealing.SealedField(index="number_index")
    number_index = sealing.BlindIndexField()
    holder = sealing.SealedField(bound_to="public_id")

    class Meta:
        app_label = "sealing_tests"
        managed = False


def account(public_id="bank_1", marketplace_id=7, **fields):
    return Account(public_id=public_id, marketplace_id=marketplace_id, **fields)


def sealed(**fields):
    row = account(**fields)
    sealing.seal(row, number=NUMBER)
    return row


@pytest.fixture(autouse=True)
def keyring(settings):
    settings.FIELD_KEYS = [OLD]
    return settings


class TestReveal:
    def test_gives_back_what_was_sealed(self):
        row = account()
        sealing.seal(row, number=NUMBER, holder="홍길동")
        assert sealing.reveal(row, "number") == NUMBER
        assert sealing.reveal(row, "holder") == "홍길동"

    def test_reads_what_the_driver_hands_out(self):
        row = sealed()
        row.number = memoryview(row.number)
        assert sealing.reveal(row, "number") == NUMBER

    @pytest.mark.parametrize("elsewhere", [{"public_id": "bank_2"}, {"marketplace_id": 8}])
    def test_refuses_a_value_that_was_copied(self, elsewhere):
        copy = account(**elsewhere, number=sealed().number)
        with pytest.raises(sealing.Unreadable, match="does not belong to this row"):
            sealing.reveal(copy, "number")

    def test_refuses_a_value_that_was_copied_to_another_field(self):
        row = sealed()
        row.holder = row.number
        with pytest.raises(sealing.Unreadable):
            sealing.reveal(row, "holder")

    @pytest.mark.parametrize("place", [0, 1, 5, 17, -1])
    def test_refuses_a_value_with_one_bit_changed(self, place):
        row = sealed()
        altered = bytearray(row.number)
        altered[place] ^= 1
        row.number = bytes(altered)
        with pytest.raises(sealing.Unreadable):
            sealing.reveal(row, "number")

    def test_refuses_what_an_unknown_key_sealed(self, keyring):
        row = sealed()
        keyring.FIELD_KEYS = [NEW]
        with pytest.raises(sealing.Unreadable, match="no key of the keyring"):
            sealing.reveal(row, "number")

    def test_reads_with_any_key_of_the_keyring(self, keyring):
        row = sealed()
        keyring.FIELD_KEYS = [NEW, OLD]
        assert sealing.reveal(row, "number") == NUMBER


class TestSeal:
    def test_never_gives_the_same_twice(self):
        assert sealed().number != sealed().number

    def test_shows_nothing_but_the_length(self):
        row = sealed()
        assert len(row.number) == 1 + 4 + 12 + len(NUMBER) + 16
        assert b"123" not in row.number

    def test_uses_the_first_key(self, keyring):
        before = sealed()
        keyring.FIELD_KEYS = [NEW, OLD]
        after = sealed()
        assert sealing.key_id(before.number) != sealing.key_id(after.number)
        assert sealing.key_id(after.number) == sealing.newest_key_id()

    @pytest.mark.parametrize("missing", [{"public_id": ""}, {"marketplace_id": None}])
    def test_wants_a_row_that_has_an_id(self, missing):
        with pytest.raises(ValueError, match="an id of its own"):
            sealed(**missing)


class TestIndexes:
    def test_are_the_same_for_the_same_number_however_it_is_written(self):
        [found] = sealing.indexes(Account, "number", "110 123 456789", 7)
        assert found == sealed().number_index == sealed(public_id="bank_2").number_index
        assert len(found) == 16

    def test_differ_between_marketplaces_and_fields(self):
        here = sealing.indexes(Account, "number", NUMBER, 7)
        assert here != sealing.indexes(Account, "number", NUMBER, 8)
        assert here != sealing.indexes(Account, "holder", NUMBER, 7)

    def test_find_what_an_older_key_indexed(self, keyring):
        row = sealed()
        keyring.FIELD_KEYS = [NEW, OLD]
        newest, older = sealing.indexes(Account, "number", NUMBER, 7)
        assert older == row.number_index
        assert newest == sealed().number_index


class TestSealedField:
    def test_can_be_written_into_a_migration(self):
        field = sealing.SealedField(bound_to="code", index="code_index")
        _, path, args, kwargs = field.deconstruct()
        assert path == "marketplace.sealing.SealedField"
        again = sealing.SealedField(*args, **kwargs)
        assert (again.bound_to, again.index) == ("code", "code_index")
