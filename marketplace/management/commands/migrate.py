from django.core.management.commands import migrate


class Command(migrate.Command):
    """Django's, as the owner of the tables unless told otherwise."""

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.set_defaults(database="owner")
