import threading
from datetime import timedelta, timezone
from hashlib import sha256

import pytest
from django.db import connections, transaction

from marketplace import audit, tenancy
from marketplace.models import AuditEntry, AuditSeal, AuditSealMember
from marketplace.tests import make

LATER = make.NOON + timedelta(minutes=10)


def record(count=1, **kwargs):
    for number in range(count):
        audit.record("thing.done", by=None, at=make.NOON, **{"data": {"n": number}, **kwargs})


def as_owner(*statements):
    with connections["owner"].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.mark.django_db
class TestRecord:
    @pytest.fixture(autouse=True)
    def market(self, db):
        with tenancy.use(make.marketplace().pk) as marketplace:
            yield marketplace

    def test_writes_who_what_when_and_why(self, market):
        operator = make.user()
        entry = audit.record(
            "marketplace.renamed",
            by=operator,
            at=make.NOON,
            obj=market,
            reason="asked for",
            data={"fields": ["name"]},
        )
        entry.refresh_from_db()
        assert (entry.actor, entry.at, entry.action) == (operator, make.NOON, "marketplace.renamed")
        assert entry.object_type == "marketplace.marketplace"
        assert entry.object_key == str(market.pk)
        assert (entry.reason, entry.data) == ("asked for", {"fields": ["name"]})

    def test_names_the_kind_alone_for_a_set(self):
        entry = audit.record("auditentry.counted", by=None, at=make.NOON, obj=AuditEntry)
        assert (entry.object_type, entry.object_key) == ("marketplace.auditentry", "")

    @pytest.mark.parametrize("data", [{"rate": 0.1}, {"rates": [1, {"a": 0.0}]}])
    def test_refuses_floats(self, data):
        with pytest.raises(TypeError, match="floats"):
            record(data=data)

    def test_goes_with_its_transaction(self):
        with pytest.raises(ZeroDivisionError), transaction.atomic():  # noqa: PT012
            record()
            raise ZeroDivisionError
        assert not AuditEntry.objects.exists()


@pytest.mark.django_db
class TestSeal:
    @pytest.fixture(autouse=True)
    def market(self, db):
        with tenancy.use(make.marketplace().pk) as marketplace:
            yield marketplace

    def test_chains_blocks(self):
        record(2)
        assert audit.seal(at=make.NOON) == 2
        record(1)
        assert audit.seal(at=LATER) == 1
        first, second = AuditSeal.objects.order_by("number")
        assert (first.number, first.entries, first.sealed_at) == (1, 2, make.NOON)
        assert (second.number, second.entries, second.sealed_at) == (2, 1, LATER)
        assert first.previous_hash == audit.GENESIS
        assert second.previous_hash == first.hash
        assert audit.verify() == []

    def test_leaves_nothing_where_there_is_nothing(self):
        assert audit.seal(at=make.NOON) == 0
        assert not AuditSeal.objects.exists()
        assert audit.verify() == []

    def test_cuts_many_entries_into_blocks(self, monkeypatch):
        monkeypatch.setattr(audit, "BLOCK", 2)
        record(5)
        assert audit.seal(at=make.NOON) == 5
        sizes = AuditSeal.objects.order_by("number").values_list("entries", flat=True)
        assert list(sizes) == [2, 2, 1]
        assert audit.verify() == []

    def test_keeps_marketplaces_apart(self, market):
        record(1)
        assert audit.seal(at=make.NOON) == 1
        assert AuditSeal.objects.get().marketplace == market

    def test_gives_a_known_hash(self):
        """The text that is hashed is fixed: another programme can verify the chain."""
        entry = AuditEntry(
            pk=7, marketplace_id=3, at=make.NOON, action="a.b", data={"b": 1, "a": "값"}
        )
        text = (
            '{"action":"a.b","actor":null,"at":"2026-03-02T03:00:00.000000+00:00",'
            '"data":{"a":"값","b":1},"id":7,"marketplace":3,"object_key":"","object_type":"",'
            '"reason":""}'
        )
        assert audit._entry_hash(entry) == sha256(text.encode()).hexdigest()
        block = AuditSeal(
            marketplace_id=3, number=1, sealed_at=make.NOON, previous_hash=audit.GENESIS
        )
        text = (
            '{"entries":[[5,"cd"],[7,"ab"]],"marketplace":3,"number":1,"previous_hash":"%s",'
            '"sealed_at":"2026-03-02T03:00:00.000000+00:00"}'
        )
        assert audit._block_hash(block, {7: "ab", 5: "cd"}) == (
            sha256((text % audit.GENESIS).encode()).hexdigest()
        )

    def test_hashes_moments_in_utc(self):
        seoul = make.NOON.astimezone(timezone(timedelta(hours=9)))
        entry = {"pk": 7, "marketplace_id": 3, "action": "a.b"}
        assert audit._entry_hash(AuditEntry(at=seoul, **entry)) == (
            audit._entry_hash(AuditEntry(at=make.NOON, **entry))
        )


ENTRY = "UPDATE marketplace_auditentry SET %s WHERE data = '{\"n\": 1}'"
BLOCK = "UPDATE marketplace_auditseal SET %s WHERE number = 2"
MEMBER = "UPDATE marketplace_auditsealmember SET %s WHERE entry_id = {entry}"
UNBIND = "DELETE FROM marketplace_auditsealmember WHERE entry_id = {entry}"


@pytest.mark.django_db(transaction=True)
class TestVerify:
    """Each block holds two entries; the owner of the tables changes block 2 behind our back."""

    @pytest.fixture
    def entry(self, monkeypatch):
        monkeypatch.setattr(audit, "BLOCK", 2)
        market = make.marketplace()
        with tenancy.use(market.pk):
            record(1, data={"n": -2})
            record(1, data={"n": -1})
            record(2)
            record(2, data={"n": 9})
            audit.seal(at=make.NOON)
            assert audit.verify() == []
            return AuditEntry.objects.get(data={"n": 1})

    def verify(self, entry):
        with tenancy.use(entry.marketplace_id):
            return audit.verify()

    @pytest.mark.parametrize(
        "change",
        [
            "at = at + interval '1 microsecond'",
            "action = 'thing.Done'",
            "object_type = ' '",
            "object_key = '0'",
            "reason = 'x'",
            "actor_id = (SELECT max(id) FROM marketplace_user)",
            """data = '{"n": 1.0}'""",
            """data = '{"n": "1"}'""",
            """data = '{"n": 1, "m": null}'""",
            "data = '[]'",
        ],
    )
    def test_names_an_entry_that_was_changed(self, entry, change):
        make.user()
        as_owner(ENTRY % change)
        assert self.verify(entry) == [f"block 2: entry {entry.pk} was changed"]

    def test_names_an_entry_that_was_removed(self, entry):
        key = "audit_seal_member_entry_is_own"
        as_owner(
            f"ALTER TABLE marketplace_auditsealmember DROP CONSTRAINT {key}",
            f"DELETE FROM marketplace_auditentry WHERE id = {entry.pk}",
        )
        found = self.verify(entry)
        as_owner(
            f"DELETE FROM marketplace_auditsealmember WHERE entry_id = {entry.pk}",
            f"ALTER TABLE marketplace_auditsealmember ADD CONSTRAINT {key} "
            "FOREIGN KEY (marketplace_id, entry_id) "
            "REFERENCES marketplace_auditentry (marketplace_id, id) DEFERRABLE INITIALLY DEFERRED",
        )
        assert found == [f"block 2: entry {entry.pk} is missing"]

    @pytest.mark.parametrize(
        ("statements", "problems"),
        [
            (
                [UNBIND, "DELETE FROM marketplace_auditentry WHERE id = {entry}"],
                [
                    "block 2 holds 1 entries where 2 were sealed",
                    "block 2 does not agree with its own hash",
                ],
            ),
            (
                # Slipped in under an id of its own, and counted in.
                [
                    "INSERT INTO marketplace_auditentry (id, marketplace_id, at, action, "
                    "object_type, object_key, reason, data) SELECT 900, marketplace_id, at, "
                    "action, '', '', '', '{{}}' FROM marketplace_auditentry WHERE id = {entry}",
                    "INSERT INTO marketplace_auditsealmember (marketplace_id, seal_id, entry_id, "
                    "hash) SELECT marketplace_id, seal_id, 900, '' "
                    "FROM marketplace_auditsealmember WHERE entry_id = {entry}",
                ],
                [
                    "block 2: entry 900 was changed",
                    "block 2 holds 3 entries where 2 were sealed",
                    "block 2 does not agree with its own hash",
                ],
            ),
            (
                [MEMBER % "hash = repeat('0', 64)"],
                [
                    "block 2: entry {entry} was changed",
                    "block 2 does not agree with its own hash",
                ],
            ),
            (
                [MEMBER % "seal_id = (SELECT id FROM marketplace_auditseal WHERE number = 3)"],
                [
                    "block 2 holds 1 entries where 2 were sealed",
                    "block 2 does not agree with its own hash",
                    "block 3 holds 3 entries where 2 were sealed",
                    "block 3 does not agree with its own hash",
                ],
            ),
            (
                [BLOCK % "entries = 3"],
                ["block 2 holds 2 entries where 3 were sealed"],
            ),
            (
                [BLOCK % "sealed_at = sealed_at + interval '1 microsecond'"],
                ["block 2 does not agree with its own hash"],
            ),
            (
                [BLOCK % "hash = repeat('0', 64)"],
                [
                    "block 2 does not agree with its own hash",
                    "block 3 does not follow the hash of the block before it",
                ],
            ),
            (
                [BLOCK % "previous_hash = repeat('0', 64)"],
                [
                    "block 2 does not follow the hash of the block before it",
                    "block 2 does not agree with its own hash",
                ],
            ),
            (
                [
                    "DELETE FROM marketplace_auditsealmember WHERE seal_id = "
                    "(SELECT id FROM marketplace_auditseal WHERE number = 2)",
                    "DELETE FROM marketplace_auditseal WHERE number = 2",
                ],
                ["blocks 2 to 2 are missing"],
            ),
        ],
    )
    def test_names_a_block_that_was_changed(self, entry, statements, problems):
        as_owner(*(statement.format(entry=entry.pk) for statement in statements))
        assert self.verify(entry) == [problem.format(entry=entry.pk) for problem in problems]


@pytest.mark.django_db(transaction=True)
class TestConcurrency:
    def test_an_entry_committed_late_comes_into_a_later_block(self):
        market = make.marketplace()
        written, may_commit = threading.Event(), threading.Event()

        def slow():
            with tenancy.use(market.pk):
                record(data={"who": "slow"})
                written.set()
                may_commit.wait(10)

        with make.another_connection(slow):
            written.wait(10)
            with tenancy.use(market.pk):
                record(data={"who": "quick"})
            with tenancy.use(market.pk):
                assert audit.seal(at=make.NOON) == 1  # and did not wait for the slow one
            may_commit.set()
        with tenancy.use(market.pk):
            assert audit.seal(at=make.NOON) == 1
            members = AuditSealMember.objects.order_by("seal__number")
            assert [m.entry.data["who"] for m in members.select_related("entry")] == [
                "quick",
                "slow",
            ]
            assert audit.verify() == []

    def test_two_sealers_make_one_chain(self):
        market = make.marketplace()
        with tenancy.use(market.pk):
            record(3)
        sealed, started = [], threading.Event()

        def second():
            with tenancy.use(market.pk):
                started.set()
                sealed.append(audit.seal(at=LATER))

        with tenancy.use(market.pk):
            assert audit.seal(at=make.NOON) == 3
            thread = make.another_connection(second)
            thread.start()
            started.wait(10)
            thread.join(0.3)
            assert sealed == []  # it waits for the first one's end
        thread.join(10)
        assert sealed == [0]
        with tenancy.use(market.pk):
            assert AuditSeal.objects.count() == 1
            assert audit.verify() == []

    def test_sealers_of_two_marketplaces_do_not_wait(self):
        ours, theirs = make.marketplace("ours"), make.marketplace("theirs")
        sealed = []

        def other():
            with tenancy.use(theirs.pk):
                record()
                sealed.append(audit.seal(at=make.NOON))

        with tenancy.use(ours.pk):
            record()
            audit.seal(at=make.NOON)
            with make.another_connection(other):
                pass
            assert sealed == [1]
