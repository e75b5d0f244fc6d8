from django.core.management.commands import flush


class Command(flush.Command):
    """Django's, as the owner of the tables: no other role may truncate."""

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.set_defaults(database="owner")
