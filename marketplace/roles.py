"""The three database roles: what each may do, and the SQL that makes them.

- owner: owns the database, migrates, makes test databases, and passes row-level security so that
  data migrations and backups see every row. Never in the environment of a web or worker process.
- app: web and workers. Owns nothing, truncates nothing, and row-level security always applies.
- platform: reads across marketplaces; what little it may write, migrations grant by name.

Creating roles needs an administrator of the server once. What the owner then gives to the other
two is in DEFAULT_PRIVILEGES_SQL, run by the first migration in every database, so that test
databases have it as well.
"""

import psycopg
from psycopg import sql

OWNER = "jangteo_owner"
APP = "jangteo_app"
PLATFORM = "jangteo_platform"
DATABASE = "jangteo"

# Names sort by code point everywhere, which for Hangul is the dictionary's order. The character
# type must know Hangul, or trigram search drops it: never plain "C".
NEW_DATABASE = (
    "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
)

ATTRIBUTES = {
    OWNER: "LOGIN NOSUPERUSER NOCREATEROLE CREATEDB BYPASSRLS",
    APP: "LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOBYPASSRLS",
    PLATFORM: "LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB BYPASSRLS",
}

# Both are trusted extensions: a database's owner may create them without an administrator.
EXTENSIONS_SQL = """
CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
"""

# Run by the owner, for what the owner creates from now on. No TRUNCATE, REFERENCES or TRIGGER.
DEFAULT_PRIVILEGES_SQL = f"""
GRANT USAGE ON SCHEMA public TO {APP}, {PLATFORM};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APP};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO {APP};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public
    GRANT EXECUTE ON FUNCTIONS TO {APP};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public
    GRANT SELECT ON TABLES TO {PLATFORM};
"""


def create(admin: psycopg.Connection, passwords: dict[str, str] | None = None) -> list[str]:
    """Make the roles and the database where they are missing; return the roles it made.

    `admin` is an autocommitting connection of a role that may create roles with BYPASSRLS. A
    role that exists keeps its password and gets its attributes set again.
    """
    made = []
    for role, attributes in ATTRIBUTES.items():
        verb = "ALTER"
        if not _exists(admin, "SELECT 1 FROM pg_roles WHERE rolname = %s", role):
            verb = "CREATE"
            made.append(role)
        command = [sql.SQL(f"{verb} ROLE"), sql.Identifier(role), sql.SQL(attributes)]
        if passwords and role in passwords and verb == "CREATE":
            command += [sql.SQL("PASSWORD"), _scrambled(admin, role, passwords[role])]
        admin.execute(sql.SQL(" ").join(command))
    if not _exists(admin, "SELECT 1 FROM pg_database WHERE datname = %s", DATABASE):
        _create_database(admin)
    admin.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {DATABASE} FROM PUBLIC")
    admin.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE {DATABASE} TO {APP}, {PLATFORM}")
    return made


def set_password(admin: psycopg.Connection, role: str, password: str) -> None:
    command = [sql.SQL("ALTER ROLE"), sql.Identifier(role), sql.SQL("PASSWORD")]
    admin.execute(sql.SQL(" ").join([*command, _scrambled(admin, role, password)]))


def _create_database(admin: psycopg.Connection) -> None:
    # An administrator who is no superuser (managed servers) must be a member of the future owner.
    superuser = "SELECT 1 FROM pg_roles WHERE rolname = %s AND rolsuper"
    if not _exists(admin, superuser, admin.info.user):
        admin.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(OWNER)))
    admin.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER} {NEW_DATABASE}")


def _exists(admin: psycopg.Connection, query: str, value: str) -> bool:
    return admin.execute(query, [value]).fetchone() is not None


def _scrambled(admin: psycopg.Connection, role: str, password: str) -> sql.Literal:
    """The password as the server stores it, so that the plain one reaches no server log."""
    secret = admin.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return sql.Literal(secret.decode())
