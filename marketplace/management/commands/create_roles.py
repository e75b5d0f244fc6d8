import secrets
from urllib.parse import quote

import psycopg
from django.core.management.base import BaseCommand, CommandError

from marketplace import roles


class Command(BaseCommand):
    help = (
        "Make the database and its three roles on a PostgreSQL server of yours, and print the "
        "lines for .env. Roles that exist keep their passwords unless --new-passwords is given."
    )
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument(
            "admin_url",
            metavar="ADMIN_URL",
            help="postgresql://… of an administrator; PGPASSWORD and .pgpass are obeyed",
        )
        parser.add_argument("--new-passwords", action="store_true")

    def handle(self, *, admin_url, new_passwords, **options):
        passwords = {role: secrets.token_urlsafe(24) for role in roles.ATTRIBUTES}
        try:
            with psycopg.connect(admin_url, autocommit=True) as admin:
                if admin.info.server_version < 150000:
                    raise CommandError("PostgreSQL 15 or newer is needed.")
                changed = roles.create(admin, passwords)
                if new_passwords:
                    changed = list(roles.ATTRIBUTES)
                    for role in changed:
                        roles.set_password(admin, role, passwords[role])
                place = _place(admin)
        except psycopg.Error as error:
            raise CommandError(str(error)) from error
        variables = {
            "DATABASE_URL": roles.APP,
            "DATABASE_OWNER_URL": roles.OWNER,
            "DATABASE_PLATFORM_URL": roles.PLATFORM,
        }
        for variable, role in variables.items():
            if role in changed:
                url = f"postgresql://{role}:{passwords[role]}@{place}/{roles.DATABASE}"
                self.stdout.write(f"{variable}={url}")
            else:
                self.stderr.write(f"{role} existed and keeps its password.")


def _place(admin: psycopg.Connection) -> str:
    host = quote(admin.info.host, safe="")  # a socket's directory has slashes
    return f"{host}:{admin.info.port}"
