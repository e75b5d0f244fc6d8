"""What is wrong with an installation: says so, and refuses to serve where data would leak.

It does not serve under a database role for which row-level security is off.
A superuser, a role with BYPASSRLS, the owner of a tenant table, and whoever may become one of
them, would see every marketplace; nothing else would look wrong.
"""

from django.conf import settings
from django.core import checks
from django.core.checks import Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

# Members count: a member may SET ROLE. A superuser is a member of every role.
_STRONG_ROLES = """
SELECT role.rolname, CASE WHEN role.rolsuper THEN 'superuser'
                          WHEN role.rolbypassrls THEN 'passes row-level security'
                          ELSE 'owns tenant tables' END
FROM pg_roles role
WHERE pg_has_role(current_user, role.oid, 'MEMBER')
  AND (role.rolsuper OR role.rolbypassrls
       OR EXISTS (SELECT 1 FROM pg_class t WHERE t.relowner = role.oid AND t.relrowsecurity))
ORDER BY role.rolname = current_user DESC, role.rolname
LIMIT 1
"""


@register(Tags.database)
def check_role(app_configs, databases=None, **kwargs):
    if "default" not in (databases or ()):
        return []
    problem = _problem()
    return [Error(problem, id="marketplace.E001")] if problem else []


@register()
def check_site_address(app_configs, **kwargs):
    if settings.SITE_ADDRESS:
        return []
    problem = (
        "ALLOWED_HOSTS names no host, so nobody knows where pages are found from outside: letters "
        "with links wait, and the mail after a night is not sent."
    )
    remedy = "Set SITE_ADDRESS, such as https://sellers.example.com."
    return [checks.Warning(problem, hint=remedy, id="marketplace.W001")]


def require_weak_role() -> None:
    """Called as a web or worker process starts; raises ImproperlyConfigured."""
    if problem := _problem():
        raise ImproperlyConfigured(problem)


def _problem() -> str | None:
    with connections["default"].temporary_connection() as cursor:
        cursor.execute("SELECT current_user")
        [user] = cursor.fetchone()
        cursor.execute(_STRONG_ROLES)
        strong = cursor.fetchone()
    if strong is None:
        return None
    role, why = strong
    through = "" if role == user else f", being a member of {role}"
    return (
        f"The database role {user} {why}{through}: marketplaces would not be kept apart. "
        "DATABASE_URL must name the app role (see marketplace/roles.py)."
    )
