from django.core.management.base import BaseCommand

from marketplace import embedded


class Command(BaseCommand):
    help = "Stop the database and broker that came with the project. Data stays under var/."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("--delete-data", action="store_true", help="and start afresh next time")

    def handle(self, *, delete_data, **options):
        stopped = embedded.stop()
        if delete_data:
            embedded.delete_data()
        self.stdout.write(f"Stopped: {', '.join(stopped) or 'nothing was running'}")
