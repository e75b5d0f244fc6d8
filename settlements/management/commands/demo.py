import secrets
import signal
import socket
import time
from datetime import timedelta

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from marketplace import tenancy
from marketplace.models import JobRun, Marketplace, Membership, User
from marketplace.processes import ProcessEnded, Processes
from settlements import nights, opening, tasks

SLUG = "demo"
OPERATOR = "operator@demo.example"
SEED = 20
ADDRESS = "127.0.0.1"


class Command(BaseCommand):
    help = (
        "Show the system at work: a marketplace with weeks of simulated orders, its nights run "
        "by a real worker, then worker, scheduler and admin in the foreground. Ctrl-C ends all."
    )

    def add_arguments(self, parser):
        parser.add_argument("--days", type=int, default=42, help="days of history (default 42)")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--no-serve", action="store_true", help="end when the nights have been run"
        )

    def handle(self, *, days, port, no_serve, **options):
        if not settings.TRIAL:
            raise CommandError(
                "The demo writes to the database that comes with the project. Unset DATABASE_URL."
            )
        if not no_serve and not _is_free(port):
            raise CommandError(f"Port {port} is in use. Choose another with --port.")
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the others like Ctrl-C
        self._say("Preparing the database")
        call_command("migrate", verbosity=0)
        market = self._market(days)
        password = self._operator(market)
        log_path = settings.VAR / "demo.log"
        try:
            with log_path.open("a") as log, Processes() as processes:
                celery = ("celery", "--app", "marketplace")
                worker = (*celery, "worker", "--concurrency", "2", "--loglevel", "WARNING")
                processes.start("worker", *worker, role="worker", log=log)
                self._run_nights(market, processes)
                if no_serve:
                    return
                beat = (*celery, "beat", "--schedule", str(settings.VAR / "beat"))
                processes.start("beat", *beat, role="worker", log=log)
                web = ("gunicorn", "marketplace.wsgi", "--workers", "2", "--bind")
                processes.start("web", *web, f"{ADDRESS}:{port}", role="web", log=log)
                self._say(
                    f"\n  http://{ADDRESS}:{port}/admin/\n"
                    f"  {OPERATOR}  {password}\n\n"
                    f"Worker, scheduler and web server are running; they write to {log_path}.\n"
                    "Ctrl-C ends them."
                )
                while True:
                    processes.check()
                    time.sleep(1)
        except KeyboardInterrupt:
            self._say("\nEnded.")
        except ProcessEnded as error:
            raise CommandError(f"{error}. See {log_path}.") from error

    def _market(self, days: int) -> Marketplace:
        """The demo marketplace; made with its history the first time."""
        market = Marketplace.objects.filter(slug=SLUG).first()
        if market is not None:
            return market
        now = timezone.now()
        first_open_on = now.date() - timedelta(days=days)
        self._say("Opening a marketplace from the preset open-market")
        market = opening.open_marketplace(
            "open-market", SLUG, name="장터 데모", first_open_on=first_open_on, at=now
        )
        self._say(f"Simulating {days} days of orders")
        call_command("simulate", SLUG, days=days, seed=SEED, stdout=self.stdout)
        return market

    def _operator(self, market: Marketplace) -> str:
        """The operator's password: made once per checkout, kept where only its owner reads."""
        path = settings.VAR / "demo_password"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(9))
        password = path.read_text()
        user = User.objects.filter(email=OPERATOR).first()
        if user is None:
            user = User.objects.create_user(OPERATOR, password, name="운영자", is_staff=True)
            user.emailaddress_set.create(email=OPERATOR, verified=True, primary=True)
        if not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
        Membership.objects.get_or_create(user=user, marketplace=market, role=Membership.Role.OWNER)
        return password

    def _run_nights(self, market: Marketplace, processes: Processes) -> None:
        """Have the worker close every day that is over, and tell how far it is."""
        target = nights.last_over(market, at=timezone.now())
        if market.last_closed_on is not None and market.last_closed_on >= target:
            return
        self._say(f"Running the nights up to {target} through Celery")
        tasks.tick.delay()
        told, waited = market.last_closed_on, 0.0
        while market.last_closed_on is None or market.last_closed_on < target:
            processes.check()
            time.sleep(0.5)
            waited += 0.5
            market.refresh_from_db()
            if market.last_closed_on != told:
                told, waited = market.last_closed_on, 0.0
                self._say(f"  {told} closed")
            self._refuse_failed(market)
            if waited and not waited % 20:
                tasks.resume.delay()  # what beat does once it runs

    def _refuse_failed(self, market: Marketplace) -> None:
        with tenancy.use(market.pk):
            failed = JobRun.objects.filter(kind=nights.NIGHT, state=JobRun.State.FAILED).first()
        if failed is not None:
            raise CommandError(f"The night of {failed.on} failed: {failed.error}")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            return False
    return True
