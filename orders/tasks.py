"""The import of uploaded files in Celery."""

from celery import shared_task
from django.utils import timezone

from marketplace import jobs, tenancy
from marketplace.models import Marketplace, User
from orders import import_uploads


def start_import(marketplace, *, at, job_id: int, user_id: int | None) -> None:
    """Hand an upload to a worker; called for the announcement that it has come."""
    run_import.delay(marketplace_id=marketplace.pk, job_id=job_id, user_id=user_id)


@shared_task(autoretry_for=(Exception,), retry_backoff=10, max_retries=None)
def run_import(*, marketplace_id: int, job_id: int, user_id: int | None) -> None:
    """Import an upload. A second delivery finds it done; its attempts are counted."""
    by = User.objects.filter(pk=user_id).first()
    import_uploads.run(marketplace_id, job_id, by=by, at=timezone.now())


@shared_task
def take_up_imports() -> None:
    """Begin again the imports that a worker left, or that the broker lost."""
    now = timezone.now()
    for marketplace in Marketplace.objects.open():
        with tenancy.use(marketplace.pk):
            left = jobs.abandoned([import_uploads.KIND], import_uploads.TOPIC, at=now)
        for job_id in left:
            run_import.delay(marketplace_id=marketplace.pk, job_id=job_id, user_id=None)
