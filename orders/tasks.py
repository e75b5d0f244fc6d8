"""The import of uploaded files in Celery."""

from celery import shared_task
from django.utils import timezone

from marketplace.models import User
from orders import import_uploads


def start_import(marketplace, *, at, job_id: int, user_id: int | None) -> None:
    """Hand an upload to a worker; called for the announcement that it has come."""
    run_import.delay(marketplace_id=marketplace.pk, job_id=job_id, user_id=user_id)


@shared_task
def run_import(*, marketplace_id: int, job_id: int, user_id: int | None) -> None:
    """Import an upload. A second delivery finds it done."""
    by = User.objects.filter(pk=user_id).first()
    import_uploads.run(marketplace_id, job_id, by=by, at=timezone.now())
