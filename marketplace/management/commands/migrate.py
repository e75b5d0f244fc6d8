from django.core.management.commands import migrate

from marketplace import migration_states


class Command(migrate.Command):
    """Django's, as the owner of the tables unless told otherwise, and faster."""

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *args, **options):
        with migration_states.told_in_place():
            super().handle(*args, **options)
