from django.core.management.base import BaseCommand

from marketplace import embedded


class Command(BaseCommand):
    help = "Stop the database and broker that came with the project. Data stays under var/."
    requires_system_checks = []

    def handle(self, **options):
        stopped = embedded.stop()
        self.stdout.write(f"Stopped: {', '.join(stopped) or 'nothing was running'}")
