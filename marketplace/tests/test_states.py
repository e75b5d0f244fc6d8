import pytest
from django.db import transaction

from marketplace import states, tenancy
from marketplace.models import AuditEntry, JobRun
from marketplace.tests import make

pytestmark = pytest.mark.django_db
State = JobRun.State


@pytest.fixture
def market(db):
    with tenancy.use(make.marketplace().pk) as marketplace:
        yield marketplace


def job(key="1", state=State.QUEUED):
    return JobRun.objects.create(kind="import", key=key, state=state)


class TestMove:
    def test_changes_the_row_and_the_object(self, market):
        run = job()
        states.move(run, State.RUNNING, by=None, at=make.NOON, changes={"started_at": make.NOON})
        assert (run.state, run.started_at) == (State.RUNNING, make.NOON)
        run.refresh_from_db()
        assert (run.state, run.started_at) == (State.RUNNING, make.NOON)

    def test_writes_one_audit_entry(self, market):
        run, operator = job(), make.user()
        states.move(run, State.RUNNING, by=operator, at=make.NOON, reason="asked for")
        [entry] = AuditEntry.objects.all()
        assert entry.action == "jobrun.running"
        assert (entry.actor, entry.at, entry.reason) == (operator, make.NOON, "asked for")
        assert (entry.object_type, entry.object_key) == ("marketplace.jobrun", str(run.pk))
        assert entry.data == {"from": "queued", "to": "running"}

    @pytest.mark.parametrize("old", State)
    @pytest.mark.parametrize("new", State)
    def test_walks_the_table_and_nothing_else(self, market, old, new):
        run = job(state=old)
        if new in JobRun.MOVES[old]:
            states.move(run, new, by=None, at=make.NOON)
            assert run.state == new
        else:
            with pytest.raises(states.IllegalMove) as refused:
                states.move(run, new, by=None, at=make.NOON)
            assert refused.value.code == "illegal_move"
            run.refresh_from_db()
            assert run.state == old
            assert not AuditEntry.objects.exists()

    def test_refuses_a_row_that_somebody_else_moved(self, market):
        mine = job()
        states.move(JobRun.objects.get(), State.RUNNING, by=None, at=make.NOON)
        with pytest.raises(states.IllegalMove, match="running"):
            states.move(mine, State.RUNNING, by=None, at=make.NOON)
        assert AuditEntry.objects.count() == 1

    def test_moves_a_marketplace(self, market):
        states.move(market, market.State.LIVE, by=None, at=make.NOON)
        market.refresh_from_db()
        assert market.state == market.State.LIVE


class TestMoveMany:
    def test_moves_a_set_by_one_update_and_one_entry(
        self, market, django_assert_num_queries, django_capture_on_commit_callbacks
    ):
        queued, failed = job("1"), job("2", State.FAILED)
        other = job("3", State.DONE)
        selected = JobRun.objects.exclude(state=State.DONE)
        with django_assert_num_queries(5):  # savepoint, lock, update, entry, release
            moved = states.move_many(
                selected, State.RUNNING, by=None, at=make.NOON, changes={"started_at": make.NOON}
            )
        assert moved == 2
        other.refresh_from_db()
        assert (other.state, other.started_at) == (State.DONE, None)
        assert set(JobRun.objects.filter(started_at=make.NOON)) == {queued, failed}
        [entry] = AuditEntry.objects.all()
        assert entry.action == "jobrun.running"
        assert (entry.object_type, entry.object_key) == ("marketplace.jobrun", "")
        assert entry.data == {
            "to": "running",
            "count": 2,
            "from": {"failed": 1, "queued": 1},
            "sample": [str(queued.pk), str(failed.pk)],
        }

    def test_refuses_the_whole_set_for_one_row(self, market):
        job("1")
        job("2", State.DONE)
        with pytest.raises(states.IllegalMove), transaction.atomic():
            states.move_many(JobRun.objects.all(), State.RUNNING, by=None, at=make.NOON)
        assert not JobRun.objects.filter(state=State.RUNNING).exists()
        assert not AuditEntry.objects.exists()

    def test_leaves_no_entry_of_an_empty_set(self, market):
        assert states.move_many(JobRun.objects.none(), State.RUNNING, by=None, at=make.NOON) == 0
        assert not AuditEntry.objects.exists()

    def test_takes_a_selection_over_other_tables(self, market):
        run = job()
        run.shards.create(number=1, first_key=1, end_key=2)
        job("2")
        selected = JobRun.objects.filter(shards__is_done=False)
        assert states.move_many(selected, State.RUNNING, by=None, at=make.NOON) == 1
        assert JobRun.objects.get(state=State.RUNNING) == run
