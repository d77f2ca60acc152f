"""Every setting, read from the environment. Nonsense is refused here, in a sentence that says what to do."""

from typing import Any
from urllib.parse import urlsplit

import environ
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from drdash import environment
from drdash.environment import addresses, file, flag, hosts, one_of, refuse, text, whole_number

BASE_DIR = environment.BASE_DIR
LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]


def encryption_keys() -> list[str]:
    keys = [one.strip() for one in environment.key("DRDASH_ENCRYPTION_KEYS").split(",") if one.strip()]
    for number, one in enumerate(keys, 1):
        try:
            Fernet(one)
        except ValueError:
            # The key itself stays out of the message.
            refuse(
                "DRDASH_ENCRYPTION_KEYS",
                f"has no valid key at place {number}: each is 32 random bytes in URL-safe base64. Make one with: "
                "python -c 'import base64, secrets; print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())'",
            )
    return keys


def secret_key() -> str:
    given = environment.key("DRDASH_SECRET_KEY")
    if given and (len(given) < 50 or len(set(given)) < 5):
        refuse("DRDASH_SECRET_KEY", "is too easy to guess: set it to at least 50 random characters.")
    return given


def public_url() -> str:
    given = text("DRDASH_PUBLIC_URL").rstrip("/")
    if not given:
        return ""
    try:
        parts = urlsplit(given)
        usable = bool(parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0)
    except ValueError:
        usable = False
    if not usable or parts.path or parts.query or parts.fragment or parts.username or parts.password is not None:
        refuse(
            "DRDASH_PUBLIC_URL",
            "is not the root of a web site: set it to the address that people type, such as https://dr.example.com.",
        )
    host = parts.hostname or ""
    if parts.scheme == "http" and host not in {"localhost", "127.0.0.1", "::1", *PLAIN_HTTP_HOSTS}:
        refuse(
            "DRDASH_PUBLIC_URL",
            f"is plain http: passwords would travel readable. Use https, or add {host} to DRDASH_PLAIN_HTTP_HOSTS.",
        )
    return given


def redis_url() -> str:
    given = text("REDIS_URL") or "redis://127.0.0.1:6379/0"
    try:
        parts = urlsplit(given)
        usable = bool(parts.scheme in {"redis", "rediss"} and parts.hostname and parts.port != 0)
        usable = usable and (parts.path.strip("/") or "0").isdigit()
    except ValueError:
        usable = False
    if not usable:
        refuse("REDIS_URL", "is not the address of a Redis: set it to one such as redis://127.0.0.1:6379/0.")
    return given


def database() -> dict[str, Any]:
    default = f"sqlite:///{DATA_DIR / 'drdash.sqlite3'}"
    given = text("DATABASE_URL") or default
    try:
        known = given.partition(":")[0] in {"sqlite", "postgres", "postgresql"}  # else the parser repeats it, aloud
        found: dict[str, Any] = environ.Env.db_url_config(given) if known else {}
    except (ImproperlyConfigured, ValueError, KeyError):
        found = {}
    engine = found.get("ENGINE", "")
    if engine not in {"django.db.backends.sqlite3", "django.db.backends.postgresql"} or not found.get("NAME"):
        refuse(
            "DATABASE_URL",
            "is not a database that can be used: set it to postgresql://user:password@host:5432/name "
            "or sqlite:////absolute/path, or leave it out for SQLite in the data folder.",
        )
    if engine == "django.db.backends.sqlite3":
        found["OPTIONS"] = {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            # FULL: a committed action is on the disk before its POST leaves.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        }
        # A file, as in production: SQLite in memory locks otherwise.
        found["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
    return {**found, "CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True, "ATOMIC_REQUESTS": False}


DATA_DIR = environment.data_dir()
try:
    DATA_DIR.mkdir(parents=True, exist_ok=True)
except OSError as problem:
    refuse("DRDASH_DATA_DIR", f"cannot be used ({problem}): set it to a folder that this user may write to.")

DEBUG = flag("DRDASH_DEBUG")
# Empty where none is set: what only reads code (checks, migrations, type checkers) needs none; what runs demands them.
SECRET_KEY = secret_key()
ENCRYPTION_KEYS = encryption_keys()
PLAIN_HTTP_HOSTS = hosts("DRDASH_PLAIN_HTTP_HOSTS")
POLL_SECONDS = whole_number("DRDASH_POLL_SECONDS", 15, 5, 3600)
REDIS_URL = redis_url()
DATABASES = {"default": database()}

PUBLIC_URL = public_url()
ALLOWED_HOSTS = [*LOOPBACK]  # always: health probes come from the same machine
if PUBLIC_URL:
    host = urlsplit(PUBLIC_URL).hostname or ""
    ALLOWED_HOSTS.append(f"[{host}]" if ":" in host else host)
    CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
HTTPS = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "drdash_session", "drdash_csrf"
CSRF_COOKIE_HTTPONLY = True  # pages carry the token in hx-headers
if HTTPS:
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
# TLS ends at a proxy. Whose X-Forwarded-Proto is believed, and whose X-Forwarded-For, by which sign-ins are throttled.
TRUSTED_PROXIES = addresses("DRDASH_TRUSTED_PROXIES", "127.0.0.1")
# Whoever keeps a partner's customers has a membership of each, and all of them stand in one form of Django's admin.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# HSTS for the whole domain, or for browsers' built-in lists, is its owner's to decide.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

INSTALLED_APPS = [
    "drdash.web",  # first: its drf_create_token is taken, which the audit knows of
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "django_htmx",
    "csp",
    "drdash.audit",
    "drdash.tenants",
    "drdash.estate",
    "drdash.failover",
]
MIDDLEWARE = [
    "drdash.web.unkept.unkept",
    "drdash.web.proxied.proxied",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "drdash.web.language.Speaking",  # before whatever may fail, and says so
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "drdash.web.zones.zoned",
]
ROOT_URLCONF = "drdash.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
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
                "drdash.web.theme.theme",
                "drdash.web.language.language",
                "drdash.web.back.back",
                "drdash.web.keys.keys",
                "drdash.web.reloading.reloading",
            ]
        },
    }
]

# A path of its own, on another disk at best: what happens to the database does not happen to it.
AUDIT_FILE = file("DRDASH_AUDIT_FILE", DATA_DIR / "audit.jsonl")

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = DEBUG

LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in (
        ("UserAttributeSimilarityValidator", {}),
        ("MinimumLengthValidator", {"min_length": 12}),
        ("CommonPasswordValidator", {}),
        ("NumericPasswordValidator", {}),
    )
]

TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"  # what is written, logged and sent to programs, and the pages of whoever reads none of the others
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("ja", "日本語")]
LANGUAGE_COOKIE_NAME = "drdash_language"
LOCALE_PATHS = [BASE_DIR / "drdash" / "locale"]

REST_FRAMEWORK = {
    # The token comes first: its challenge makes an anonymous request a 401.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "drdash",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "DESCRIPTION": "What is known of the servers and sites of a DR cloud, and actions that start and stop failovers.",
}

CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "drdash"
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1

LOG_LEVEL = one_of("DRDASH_LOG_LEVEL", "INFO", ["DEBUG", "INFO", "WARNING", "ERROR"])
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    # Each 503 is an answer of /readyz: what is wrong is in the log already.
    "filters": {
        "no_503": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: getattr(record, "status_code", 0) != 503,
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.request": {"filters": ["no_503"]},
        # A line for each tick is no news.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        # These write tokens, bodies and headers at DEBUG: never that, whatever the level is.
        "requests_oauthlib": {"level": "WARNING"},
        "oauthlib": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
        "requests": {"level": "WARNING"},
    },
}
