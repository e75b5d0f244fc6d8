"""All settings, from the environment (and .env beside manage.py, which never overrides it).

Two ways to run. With DATABASE_URL unset this is a trial: database and broker come with the
project (marketplace/embedded.py), the secret key is made once, mail goes to files, plain HTTP
works. With DATABASE_URL set this is production, and what must not be guessed has to be given.
What differs from marketplace to marketplace is a row, never a setting.
"""

import base64
import contextlib
import os
import secrets
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from marketplace import embedded, roles

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = embedded.VAR

env = environ.Env()
if (BASE_DIR / ".env").is_file():
    environ.Env.read_env(BASE_DIR / ".env")

TRIAL = not env.str("DATABASE_URL", "")
DEBUG = env.bool("DEBUG", False)
PROCESS = env.str("JANGTEO_PROCESS", "command")
if PROCESS not in {"web", "worker", "command"}:
    raise ImproperlyConfigured("JANGTEO_PROCESS is web, worker or command.")


def _needed(name: str, *, in_trial: str) -> str:
    """A setting that a trial may go without and production must name."""
    value = env.str(name, "")
    if not value and not TRIAL:
        raise ImproperlyConfigured(f"Set {name}: DATABASE_URL is set, so this is production.")
    return value or in_trial


def _trial_secret(name: str, text: str) -> str:
    """Made once per checkout, readable by its maker alone; two first starts agree on one."""
    path = VAR / name
    if TRIAL and not path.exists():
        VAR.mkdir(exist_ok=True)
        unfinished = VAR / f"{name}.{os.getpid()}"
        unfinished.touch(mode=0o600)
        unfinished.write_text(text)
        with contextlib.suppress(FileExistsError):
            os.link(unfinished, path)
        unfinished.unlink()
    return path.read_text() if TRIAL else ""


SECRET_KEY = _needed("SECRET_KEY", in_trial=_trial_secret("secret_key", secrets.token_urlsafe(50)))
if len(SECRET_KEY) < 32:
    raise ImproperlyConfigured("SECRET_KEY is shorter than 32 characters.")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])


def _field_keys(text: str) -> list[bytes]:
    """Read what `openssl rand -base64 32` printed, once or more, between commas."""
    try:
        keys = [base64.b64decode(key, validate=True) for key in text.split(",")]
    except ValueError:
        keys = []
    if not keys or any(len(key) != 32 for key in keys):
        raise ImproperlyConfigured("FIELD_KEYS are 32 bytes each in Base64, between commas.")
    return keys


# What sealed fields are sealed with (marketplace/sealing.py): the first seals, all unseal.
_NEW_FIELD_KEY = base64.b64encode(secrets.token_bytes(32)).decode()
FIELD_KEYS = _field_keys(
    _needed("FIELD_KEYS", in_trial=_trial_secret("field_keys", _NEW_FIELD_KEY))
)
ALLOWED_HOSTS = _needed("ALLOWED_HOSTS", in_trial="localhost,127.0.0.1,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# Apps, in the order of the floors from the bottom up

INSTALLED_APPS = [
    "marketplace",
    "sellers",
    "listings",
    "orders",
    "settlements",
    "insights",
    # Before the admin, whose templates it replaces.
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "marketplace.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    # Around all that writes into a page.
    "marketplace.middleware.Compression",
    # Around all that may answer under /api/, so that every error there has one form.
    "marketplace.api.middleware.ApiMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "marketplace.middleware.ContentSecurityPolicy",
    "django_htmx.middleware.HtmxMiddleware",
    "marketplace.staff_sessions.StaffSessions",
    # Last: its transaction must hold the view and the rendering, and nothing else.
    "marketplace.middleware.TenantMiddleware",
]
ROOT_URLCONF = "marketplace.urls"
WSGI_APPLICATION = "marketplace.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Database: one database under three roles (marketplace/roles.py)

_TIMEOUTS = {
    "web": "-c statement_timeout=10s -c lock_timeout=3s -c idle_in_transaction_session_timeout=30s",
    "worker": "-c statement_timeout=10min -c lock_timeout=30s"
    " -c idle_in_transaction_session_timeout=15min",
    "command": "",
}


def _database(variable: str, role: str) -> dict:
    if TRIAL:
        database = {
            "ENGINE": "marketplace.embedded_backend",
            "HOST": embedded.database_host(),
            "PORT": embedded.PORT,
            "NAME": roles.DATABASE,
            "USER": role,
        }
    else:
        url = env.str(variable, "")
        if not url and role == roles.OWNER:
            # Web and workers run without the owner's password; a migration there is refused.
            url = env.str("DATABASE_URL")
            database = environ.Env.db_url_config(url) | {"USER": role, "PASSWORD": ""}
        elif not url:
            raise ImproperlyConfigured(f"Set {variable}: DATABASE_URL is set.")
        else:
            database = environ.Env.db_url_config(url)
        if database["ENGINE"] != "django.db.backends.postgresql":
            raise ImproperlyConfigured(f"{variable} does not name a PostgreSQL database.")
        database["HOST"] = unquote(database["HOST"])  # a socket's directory comes as %2Frun%2F…
    database["CONN_MAX_AGE"] = 60
    database["CONN_HEALTH_CHECKS"] = True
    # PgBouncer in transaction mode refuses start-up options: switch them off, and set the
    # timeouts on the server instead.
    if _TIMEOUTS[PROCESS] and env.bool("DATABASE_TIMEOUTS", True) and role != roles.OWNER:
        database.setdefault("OPTIONS", {}).setdefault("options", _TIMEOUTS[PROCESS])
    # Tests: the owner makes the database, the other two use it under their own roles.
    database["TEST"] = {} if role == roles.OWNER else {"MIRROR": "owner"}
    return database


DATABASES = {
    "default": _database("DATABASE_URL", roles.APP),
    "owner": _database("DATABASE_OWNER_URL", roles.OWNER),
    "platform": _database("DATABASE_PLATFORM_URL", roles.PLATFORM),
}
DATABASE_ROUTERS = ["marketplace.routers.OwnerMigrates"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Broker and cache

EMBEDDED_BROKER = not env.str("CELERY_BROKER_URL", "")
CELERY_BROKER_URL = embedded.broker_url() if EMBEDDED_BROKER else env.str("CELERY_BROKER_URL")
# Rate limits count in the cache: with more than one web process, name one they share.
CACHES = {
    "default": env.cache_url("CACHE_URL")
    if env.str("CACHE_URL", "")
    else {"BACKEND": "marketplace.embedded_cache.EmbeddedCache"}
    if TRIAL
    else env.cache_url_config("locmemcache://")
}

# The night: how much of a step one task does, in one transaction

LINES_A_SHARD = env.int("LINES_A_SHARD", 100_000)
STATEMENTS_A_SHARD = env.int("STATEMENTS_A_SHARD", 2_000)
if LINES_A_SHARD < 1 or STATEMENTS_A_SHARD < 1:
    raise ImproperlyConfigured("LINES_A_SHARD and STATEMENTS_A_SHARD are 1 or more.")

# How often a worker looks whether it still fetches (marketplace.watchdog)

WATCHDOG_SECONDS = env.int("WATCHDOG_SECONDS", 20)
if WATCHDOG_SECONDS < 1:
    raise ImproperlyConfigured("WATCHDOG_SECONDS is 1 or more.")

# Webhooks reach public addresses only; for examples and tests also receivers on this machine.

WEBHOOKS_TO_LOOPBACK = env.bool("WEBHOOKS_TO_LOOPBACK", False)
if WEBHOOKS_TO_LOOPBACK and not TRIAL:
    raise ImproperlyConfigured("WEBHOOKS_TO_LOOPBACK is for a trial, never for production.")

# Where the status of businesses is asked, with the installation's key of data.go.kr

TAX_OFFICE_URL = env.str("TAX_OFFICE_URL", "https://api.odcloud.kr/api/nts-businessman/v1")
TAX_OFFICE_KEY = env.str("TAX_OFFICE_KEY", "")

# Accounts

AUTH_USER_MODEL = "marketplace.User"
AUTHENTICATION_BACKENDS = ["marketplace.permissions.RoleBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True  # in the browser that signed up, and no other
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Jangteo] "
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Jangteo"
MFA_FORMS = {
    "add_webauthn": "marketplace.passkey_forms.AddForm",
    "edit_webauthn": "marketplace.passkey_forms.EditForm",
}
# Staff sessions in the admin. A trial goes without the second factor.
STAFF_SECOND_FACTOR = env.bool("STAFF_SECOND_FACTOR", not TRIAL)
STAFF_SESSION_IDLE = timedelta(minutes=env.int("STAFF_SESSION_IDLE_MINUTES", 30))
STAFF_SESSION_LENGTH = timedelta(hours=env.int("STAFF_SESSION_HOURS", 12))

# Language and time

LANGUAGE_CODE = "ko"
LANGUAGES = [("ko", "한국어"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["marketplace.formats"]
USE_I18N = True
USE_TZ = True
# For people outside any marketplace only: each marketplace has a zone of its own.
TIME_ZONE = env.str("TIME_ZONE", "Asia/Seoul")

# Files and mail

STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"
MEDIA_ROOT = env.path("MEDIA_ROOT", default=str(VAR / "media"))
# After `manage.py collectstatic` in production: hashed names and compressed files.
_COLLECTED = env.bool("STATIC_COLLECTED", False)
WHITENOISE_USE_FINDERS = not _COLLECTED
_STATIC_STORAGE = (
    "whitenoise.storage.CompressedManifestStaticFilesStorage"
    if _COLLECTED
    else "django.contrib.staticfiles.storage.StaticFilesStorage"
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _STATIC_STORAGE},
}
EMAIL_CONFIG = env.email_url(
    "EMAIL_URL", default=f"filemail:///{VAR / 'mail'}" if TRIAL else "smtp://localhost:25"
)
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 30  # seconds: a mail server that hangs does not hold a worker
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "jangteo@localhost")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# Browser security

HTTPS = env.bool("HTTPS", not TRIAL)
# Where letters say that a page is found; a letter that no request sends cannot know it. Empty where
# no host is named: letters wait then (marketplace.checks says so).
_HOST = "localhost:8000" if TRIAL else ALLOWED_HOSTS[0].lstrip(".")
_NAMED = "" if _HOST == "*" else f"http{'s' if HTTPS else ''}://{_HOST}"
SITE_ADDRESS = (env.str("SITE_ADDRESS", "") or _NAMED).rstrip("/")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz/"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
BEHIND_PROXY = env.bool("BEHIND_PROXY", False)
if BEHIND_PROXY:  # only where the proxy always sets these headers itself
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    ALLAUTH_TRUSTED_PROXY_COUNT = 1  # whose attempts are counted: X-Forwarded-For tells
SESSION_COOKIE_HTTPONLY = True
if HTTPS:  # bound to this very host: no neighbour's page can set them
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# The operators' pages (marketplace/admin_site.py)

UNFOLD = {
    "SITE_TITLE": "Jangteo",
    "SITE_HEADER": "Jangteo",
    "SITE_URL": None,  # there is no shop here to view
    "SITE_SYMBOL": "storefront",
    "SHOW_BACK_BUTTON": True,
    "STYLES": ["marketplace.admin_site.stylesheet"],
    "DASHBOARD_CALLBACK": "insights.front_page.show",
    "SIDEBAR": {"show_search": True},
}

# What waits for the operators: counted for every page of the admin by the app that sees all.
DESK = "insights.front_page.waiting"

# API

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["marketplace.api.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["marketplace.api.authentication.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["marketplace.api.parsing.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "marketplace.api.paging.CursorPages",
    "EXCEPTION_HANDLER": "marketplace.api.problems.handle",
    "DEFAULT_SCHEMA_CLASS": "marketplace.api.schema.Schema",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Jangteo API",
    "DESCRIPTION": "Orders in; listings, claims, statements and events out. See docs/api.md.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SORT_OPERATION_PARAMETERS": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "GET_LIB_DOC_EXCLUDES": "marketplace.api.schema.undescribing",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "marketplace.api.schema.with_problems",
    ],
    "ENUM_NAME_OVERRIDES": {
        "SellerState": "sellers.models.Seller.State",
        "ListingState": "listings.models.Listing.State",
        "RevisionState": "listings.models.Revision.State",
        "ClaimState": "orders.models.Claim.State",
        "ClaimType": "orders.models.Claim.Type",
        "ArbitrationSide": "orders.models.Arbitration.Side",
        "ArbitrationOutcome": "orders.models.Arbitration.Outcome",
        "EventKind": "orders.models.OrderEvent.Kind",
        "JobState": "settlements.api.exports.State",
        "WebhookEndpointState": "marketplace.models.WebhookEndpoint.State",
        "StatementState": "settlements.models.Statement.State",
        "SettlementLineKind": "settlements.api.serializers.KINDS",
        "NewLineDocumentTaxKindEnum": "orders.api.serializers.TaxKind",
        "AccountKind": "settlements.models.Account.Kind",
        "AccountSide": "settlements.models.Account.Side",
        "SideEnum": "settlements.models.ProviderRow.Kind",
        "PeriodState": "settlements.models.Period.State",
        "DayState": "settlements.models.DayClose.State",
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000  # bytes of a request's body
API_REQUESTS_A_MINUTE = env.int("API_REQUESTS_A_MINUTE", 600)  # of one key
API_MARKETPLACE_REQUESTS_A_MINUTE = env.int("API_MARKETPLACE_REQUESTS_A_MINUTE", 3_000)

# Logs: one JSON object a line, on standard error

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "marketplace.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", "INFO")},
    "loggers": {
        # Django would add a handler of its own and mail tracebacks to administrators.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        # They tell each page that they lay out and each font that they cut.
        "weasyprint": {"level": "ERROR"},
        "fontTools": {"level": "ERROR"},
    },
}
