"""Uploading order files: kept, imported once, told about, and nobody else's business."""

import copy
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from marketplace import jobs, tenancy
from marketplace.models import JobRun, OutboxMessage
from marketplace.tests import desks
from orders import import_uploads, tasks
from orders.models import ImportProfile, Order
from orders.tests import make
from orders.tests.test_importing import GOOD, GOOD_PAID, PAID, ROWS, SHOP

pytestmark = pytest.mark.django_db
UPLOADS = reverse("admin:orders_import_uploads")
BAD = "=cmd(),2026-03-02 10:00,done,kim,1,hanok,tea-1,Green tea,-,2,3000,KRW"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def market():
    market = make.marketplace("ours")
    with tenancy.use(market.pk):
        make.calendar()
        make.policy()
        make.seller()
        make.seller("bukchon")
        ImportProfile.objects.create(code="shop", name="Shop", body=copy.deepcopy(SHOP))
    return market


@pytest.fixture
def owner(market):
    return desks.operator(market)[0]


@pytest.fixture
def stranger():
    return desks.operator(make.marketplace("theirs"))[0]


def files(*more):
    rows = "\n".join([ROWS, *GOOD, *more]).encode()
    paid = "\n".join([PAID, *GOOD_PAID]).encode()
    return [SimpleUploadedFile("rows.csv", rows), SimpleUploadedFile("paid.csv", paid)]


def upload(client, *more):
    return client.post(UPLOADS, {"profile": "shop", "files": files(*more)})


def newest(market) -> JobRun:
    with tenancy.use(market.pk):
        return import_uploads.rows().first()


def work(market) -> JobRun:
    """What a worker does with the newest upload."""
    tasks.run_import(marketplace_id=market.pk, job_id=newest(market).pk, user_id=None)
    return newest(market)


def page(job) -> str:
    return reverse("admin:orders_import_upload", args=[job.pk])


def report(job) -> str:
    return reverse("admin:orders_import_report", args=[job.pk])


class TestUpload:
    def test_is_kept_for_a_worker(self, owner, market, media):
        answer = upload(owner)
        job = newest(market)
        assert answer.url == page(job)
        assert (job.state, job.counts["files"]) == ("queued", ["rows.csv", "paid.csv"])
        folder = media / "imports" / str(market.pk) / job.key
        assert sorted(path.name for path in folder.iterdir()) == ["paid.csv", "rows.csv"]
        with tenancy.use(market.pk):
            message = OutboxMessage.objects.get(topic="import.uploaded")
        assert message.payload["job_id"] == job.pk
        assert 'http-equiv="refresh"' in desks.text(owner.get(page(job)))

    def test_is_imported_and_its_files_go_away(self, owner, market, media):
        upload(owner)
        job = work(market)
        assert (job.state, job.error) == ("done", "")
        assert job.counts["result"]["orders_accepted"] == 1
        assert not (media / "imports" / str(market.pk) / job.key).exists()
        with tenancy.use(market.pk):
            assert Order.objects.get().number == "A-1"

    def test_of_the_same_files_changes_nothing(self, owner, market):
        upload(owner)
        first = work(market)
        upload(owner)
        second = work(market)
        assert (first.counts["changed"], second.counts["changed"]) == (True, False)
        assert first.pk != second.pk
        assert first.counts["import"] == second.counts["import"]
        assert "nothing has changed" in desks.text(owner.get(page(second)))
        with tenancy.use(market.pk):
            assert Order.objects.count() == 1

    def test_that_a_worker_left_is_begun_again(self, owner, market, monkeypatch):
        upload(owner)
        job, long_ago = newest(market), timezone.now() - timedelta(hours=1)
        with tenancy.use(market.pk):
            jobs.count_attempt(jobs.begin(job.kind, job.key, at=long_ago), at=long_ago)
        monkeypatch.setattr(tasks.run_import, "delay", tasks.run_import)
        tasks.take_up_imports()
        assert newest(market).state == "done"
        tasks.take_up_imports()
        with tenancy.use(market.pk):
            assert Order.objects.count() == 1

    def test_that_never_ends_is_given_up_with_its_files(self, owner, market, media):
        upload(owner)
        job = newest(market)
        with tenancy.use(market.pk):
            JobRun.objects.filter(pk=job.pk).update(attempts=jobs.MAX_ATTEMPTS)
            JobRun.objects.filter(pk=job.pk).update(state="running", started_at=make.NIGHT)
        assert not import_uploads.run(market.pk, job.pk, by=None, at=make.NIGHT)
        assert newest(market).state == "failed"
        assert not (media / "imports" / str(market.pk) / job.key).exists()

    def test_leaves_nothing_behind_on_a_full_disk(self, owner, market, media, monkeypatch):
        read = Path.open

        def full(path, mode="r", *words, **more):
            if "w" in mode:
                raise OSError(28, "No space left on device")
            return read(path, mode, *words, **more)

        monkeypatch.setattr(Path, "open", full)
        with pytest.raises(OSError, match="No space left"):
            upload(owner)
        monkeypatch.undo()
        assert not list((media / "imports" / str(market.pk)).iterdir())
        assert newest(market) is None

    def test_delivered_twice_is_done_once(self, owner, market):
        upload(owner)
        job = work(market)
        assert not import_uploads.run(market.pk, job.pk, by=None, at=make.NIGHT)

    def test_tells_bad_rows_and_lets_them_be_taken_along(self, owner, market):
        upload(owner, BAD)
        job = work(market)
        content = desks.text(owner.get(page(job)))
        assert "Rejected" in content
        assert "rows.csv" in content
        answer = owner.get(report(job))
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        lines = answer.content.decode("utf-8-sig").splitlines()
        assert lines[0] == "head,file,row,key,field,code,reason,amount"
        assert any(",'=cmd()," in line for line in lines)
        assert not any(",=cmd()" in line for line in lines)

    def test_that_does_not_fit_says_why(self, owner, market):
        odd = SimpleUploadedFile("rows.csv", b"one,two\n1,2\n")
        owner.post(UPLOADS, {"profile": "shop", "files": [odd]})
        job = work(market)
        assert job.state == "failed"
        assert job.error
        assert "story-error" in desks.text(owner.get(page(job)))

    @pytest.mark.parametrize(
        ("name", "content"),
        [("rows.xlsx", b"PK"), ("rows.csv", b"\x00\x01"), ("rows.exe", b"MZ")],
    )
    def test_of_something_else_is_refused(self, owner, market, media, name, content):
        odd = SimpleUploadedFile(name, content)
        answer = owner.post(UPLOADS, {"profile": "shop", "files": [odd]})
        assert "is no CSV file" in desks.text(answer)
        assert newest(market) is None
        assert not (media / "imports").exists()

    def test_of_too_much_is_refused(self, owner, market, monkeypatch):
        monkeypatch.setattr(import_uploads, "MOST_BYTES", 100)
        assert "larger than" in desks.text(upload(owner))
        many = [SimpleUploadedFile(f"{n}.csv", b"x") for n in range(11)]
        answer = owner.post(UPLOADS, {"profile": "shop", "files": many})
        assert "at most" in desks.text(answer)
        assert newest(market) is None

    def test_never_leaves_its_folder(self, owner, market, media):
        sly = SimpleUploadedFile("x.csv", b"a,b\n")
        sly._name = "../../sly.csv"
        with tenancy.use(market.pk):
            job = import_uploads.receive("shop", [sly], by=None, at=make.NIGHT)
        assert job.counts["files"] == ["sly.csv"]
        assert [path.name for path in Path(media).iterdir()] == ["imports"]

    def test_is_nothing_to_a_stranger(self, owner, stranger, market):
        upload(owner, BAD)
        job = work(market)
        assert stranger.get(page(job)).status_code == 404
        assert stranger.get(report(job)).status_code == 404
        assert "rows.csv" not in desks.text(stranger.get(UPLOADS))

    @pytest.mark.parametrize(
        ("role", "status"), [("support", 302), ("finance", 403), ("viewer", 403)]
    )
    def test_follows_the_role(self, market, role, status):
        client, _ = desks.operator(market, role)
        assert client.get(UPLOADS).status_code == 200
        assert upload(client).status_code == status
        assert (newest(market) is not None) is (status == 302)


class TestProfile:
    def test_is_edited_only_if_it_can_be_read(self, owner, market):
        with tenancy.use(market.pk):
            profile = ImportProfile.objects.get()
        address = reverse("admin:orders_importprofile_change", args=[profile.pk])
        answer = owner.post(address, {"code": "shop", "name": "Shop", "body": '{"name": "x"}'})
        assert answer.status_code == 422
        assert answer.context["adminform"].form.errors["body"]
        with tenancy.use(market.pk):
            assert ImportProfile.objects.get().body == SHOP


def test_asks_for_a_file(owner, market):
    answer = owner.post(UPLOADS, {"profile": "shop"})
    assert answer.status_code == 422
    assert "This field is required." in desks.text(answer)
    with tenancy.use(market.pk):
        assert not JobRun.objects.filter(kind=import_uploads.KIND).exists()


def test_offers_own_profiles_and_those_in_its_currency_by_name(market):
    with tenancy.use(market.pk):
        offered = import_uploads.profiles()
    assert offered[0] == ("shop", "Shop")
    assert [code for code, _ in offered] == ["shop", "shop-orders"]
    assert offered[1][1].startswith("쇼핑몰 주문 목록")
