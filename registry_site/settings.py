"""The settings of the installation. Everything that can differ comes from the environment.

docs/settings.md lists every variable.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from obeya.stages import WORKFLOWS
from registry_site import environment as env
from registry_site.cookies import cookie_names
from registry_site.environment import is_making
from registry_site.paths import DOCUMENTS_DIR, PACKAGE, STATIC_DIR, TEMPLATES_DIR

# --- This installation ----------------------------------------------------------------------------

OBEYA_DATA_DIR = env.directory("OBEYA_DATA_DIR", "data")
OBEYA_HOST = env.text("OBEYA_HOST", "127.0.0.1")
OBEYA_PORT = env.port("OBEYA_PORT", 8000)
OBEYA_WORKERS = env.count("OBEYA_WORKERS", min(os.cpu_count() or 1, 4))
OBEYA_HTTPS = env.flag("OBEYA_HTTPS")
OBEYA_TRUSTED_PROXIES = env.proxies("OBEYA_TRUSTED_PROXIES")
OBEYA_WORKFLOW = env.one_of("OBEYA_WORKFLOW", tuple(WORKFLOWS), "strict")
OBEYA_ANONYMOUS = env.one_of("OBEYA_ANONYMOUS", ("none", "read", "write"), "none")
OBEYA_MLFLOW_TRACKING_URI = env.server_address("OBEYA_MLFLOW_TRACKING_URI")
OBEYA_MLFLOW_TRACKING_TOKEN = env.text("OBEYA_MLFLOW_TRACKING_TOKEN")
OBEYA_MLFLOW_TRACKING_USERNAME = env.text("OBEYA_MLFLOW_TRACKING_USERNAME")
OBEYA_MLFLOW_TRACKING_PASSWORD = env.text("OBEYA_MLFLOW_TRACKING_PASSWORD")
OBEYA_ARTIFACTS = env.text("OBEYA_ARTIFACTS", str(OBEYA_DATA_DIR / "artifacts"))
OBEYA_UPLOAD_MAX_MIB = env.count("OBEYA_UPLOAD_MAX_MIB", 10_240)
OBEYA_API_RATE = env.count("OBEYA_API_RATE", 100, least=0)
OBEYA_WORKER = env.flag("OBEYA_WORKER", default=True)
OBEYA_WEBHOOK_NETWORKS = env.networks("OBEYA_WEBHOOK_NETWORKS")
OBEYA_WEBHOOK_CONCURRENCY = env.count("OBEYA_WEBHOOK_CONCURRENCY", 4)
OBEYA_WEBHOOK_DAYS = env.count("OBEYA_WEBHOOK_DAYS", 30)
OBEYA_EMAIL_URL = env.text("OBEYA_EMAIL_URL")
OBEYA_REQUIRE_REASON = env.flag("OBEYA_REQUIRE_REASON")
OBEYA_REQUEST_DAYS = env.count("OBEYA_REQUEST_DAYS", 14)
OBEYA_RECORD_DOWNLOADS = env.flag("OBEYA_RECORD_DOWNLOADS")
OBEYA_HEADLINE_METRICS = env.words("OBEYA_HEADLINE_METRICS")
OBEYA_NOTICE = env.text("OBEYA_NOTICE")

DEBUG = env.flag("OBEYA_DEBUG")
SECRET_KEY = env.secret_key("OBEYA_SECRET_KEY", path=OBEYA_DATA_DIR / "secret-key")
SECRET_KEY_FALLBACKS = env.words("OBEYA_SECRET_KEY_FALLBACKS")

# A wildcard address is not a host name; a server that listens on one needs its names configured.
_WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not listened on
_LOCAL_NAMES = {"localhost", "127.0.0.1", "[::1]"}
_OWN_NAME = {f"[{OBEYA_HOST}]" if ":" in OBEYA_HOST else OBEYA_HOST} - {"[::]"} - _WILDCARDS
ALLOWED_HOSTS = env.words("OBEYA_ALLOWED_HOSTS") or sorted(_LOCAL_NAMES | _OWN_NAME)
CSRF_TRUSTED_ORIGINS = env.words("OBEYA_TRUSTED_ORIGINS")

# --- Apps, middleware and templates ---------------------------------------------------------------

INSTALLED_APPS = [
    "registry_site.admin_site.ObeyaAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    # The templates of widgets, for FORM_RENDERER.
    "django.forms",
    # After auth, which creates the permissions that our groups consist of.
    "boards",
    # Not django_htmx: its middleware works without it, and its static files are not needed.
    "template_partials",
    "csp",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "boards.caching.PrivateResponses",
    # Above everything that answers, so that files, redirects and errors have the policy too.
    "boards.api.problems.ProblemMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Pads each response at random, so that its length reveals nothing about the CSRF token in it.
    "boards.compression.CompressTexts",
    "registry_site.sessions.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Every view requires signing in, unless it is marked otherwise.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "boards.views.errors.RegistryErrorMiddleware",
]

ROOT_URLCONF = "registry_site.urls"
WSGI_APPLICATION = "registry_site.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [TEMPLATES_DIR],
        # template_partials wraps the usual two loaders, cached.
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "boards.context.site",
            ],
        },
    },
]

FORM_RENDERER = "boards.views.forms.FormRenderer"

# --- Database -------------------------------------------------------------------------------------

DATABASES = {
    "default": env.database(
        "DATABASE_URL",
        data=OBEYA_DATA_DIR,
        # FULL loses no acknowledged promotion in a power failure; NORMAL is faster but can.
        sqlite_synchronous=env.one_of("OBEYA_SQLITE_SYNCHRONOUS", ("FULL", "NORMAL"), "FULL"),
    )
}

# --- Documents, static files and artifacts --------------------------------------------------------

OBEYA_DOCUMENTS_DIR = DOCUMENTS_DIR
OBEYA_DEMO_DATA_DIR = PACKAGE / "demo" / "data"
STATIC_URL = "/static/"
STATICFILES_DIRS = [STATIC_DIR]
STATIC_ROOT = OBEYA_DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "registry_site.static.HashedStaticFiles"},
    "artifacts": env.artifact_storage("OBEYA_ARTIFACTS", OBEYA_ARTIFACTS),
}
# Where uploads are until they are complete: beside their destination, so that one rename places
# them.
_IN_BUCKET = OBEYA_ARTIFACTS.startswith("s3://")
_FILES_DIR = OBEYA_DATA_DIR if _IN_BUCKET else Path(OBEYA_ARTIFACTS).expanduser().resolve()
OBEYA_INCOMING_DIR = _FILES_DIR / "incoming"
# `obeya serve` collects the files. If they were not collected, they are served from their source.
WHITENOISE_USE_FINDERS = DEBUG or not (STATIC_ROOT / "staticfiles.json").is_file()
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_ALLOW_ALL_ORIGINS = False
if is_making():
    STATIC_ROOT.mkdir(exist_ok=True)

# --- Accounts and sign-in -------------------------------------------------------------------------

AUTH_USER_MODEL = "boards.User"
AUTHENTICATION_BACKENDS = [
    "boards.registry.accounts.password_backend.PasswordBackend",
    # For sessions that begin with a sign-in link. It never checks a password.
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = ["boards.access.passwords.BoundedPasswordHasher"]
LOGIN_URL = "boards:sign_in"
LOGIN_REDIRECT_URL = "boards:board"
LOGOUT_REDIRECT_URL = "boards:sign_in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# --- Cookies -------------------------------------------------------------------------------------

# If the variable is not set, `obeya serve` reads the id from the database and names the cookies
# again.
OBEYA_INSTANCE = env.identifier("OBEYA_INSTANCE")
_NAMES = cookie_names(OBEYA_INSTANCE)
SESSION_COOKIE_NAME = _NAMES["SESSION_COOKIE_NAME"]
CSRF_COOKIE_NAME = _NAMES["CSRF_COOKIE_NAME"]
OBEYA_MESSAGES_COOKIE_NAME = _NAMES["OBEYA_MESSAGES_COOKIE_NAME"]
OBEYA_THEME_COOKIE_NAME = _NAMES["OBEYA_THEME_COOKIE_NAME"]
MESSAGE_STORAGE = "boards.views.message_storage.MessageStorage"

# --- Security -------------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "connect-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
# One limit for every body that is read as a whole: forms, the API and the MLflow protocol.
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024
# A form may contain files only if its view allows them; elsewhere they would fill the disk.
FILE_UPLOAD_HANDLERS = ["boards.files.upload_handlers.NoFiles"]
SECURE_REFERRER_POLICY = "same-origin"
CSRF_FAILURE_VIEW = "boards.views.errors.csrf_failure"
CSRF_COOKIE_HTTPONLY = True
SESSION_ENGINE = "registry_site.sessions"
SESSION_COOKIE_SAMESITE = "Lax"

SESSION_COOKIE_SECURE = OBEYA_HTTPS
CSRF_COOKIE_SECURE = OBEYA_HTTPS
SECURE_SSL_REDIRECT = OBEYA_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if OBEYA_HTTPS else 0
# Encryption ends at the proxy in front, which sets this header and has to overwrite what clients
# send. Without OBEYA_HTTPS the header is ignored.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if OBEYA_HTTPS else None
SILENCED_SYSTEM_CHECKS = [
    # Both would affect host names that are not ours: those below this one, and the browsers'
    # built-in lists, from which a name is removed only after months.
    "security.W005",  # SECURE_HSTS_INCLUDE_SUBDOMAINS
    "security.W021",  # SECURE_HSTS_PRELOAD
]

# --- E-mail ---------------------------------------------------------------------------------------

_MAIL = env.email("OBEYA_EMAIL_URL", OBEYA_EMAIL_URL)
EMAIL_BACKEND = _MAIL.get("EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
EMAIL_HOST = _MAIL.get("EMAIL_HOST") or "localhost"
EMAIL_PORT = _MAIL.get("EMAIL_PORT") or 25
EMAIL_HOST_USER = _MAIL.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD = _MAIL.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS = bool(_MAIL.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL = bool(_MAIL.get("EMAIL_USE_SSL"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("OBEYA_EMAIL_FROM", "obeya@localhost")

# --- Time and language ----------------------------------------------------------------------------

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = env.time_zone("OBEYA_TIME_ZONE", "UTC")

# --- Logs -----------------------------------------------------------------------------------------


def _in_one_line(record: logging.LogRecord) -> bool:
    """Filter that keeps every record, without its traceback."""
    record.exc_info = None
    return True


LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "class": "registry_site.logs.RedactingFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        }
    },
    "filters": {
        "in_one_line": {"()": "django.utils.log.CallbackFilter", "callback": _in_one_line},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {
        "handlers": ["stderr"],
        "level": env.one_of("OBEYA_LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
    },
    "loggers": {
        # Django's own handlers would log everything twice, or mail it to no one.
        "django": {"handlers": [], "level": "INFO"},
        # A 404 matters only to the client.
        "django.request": {"level": "ERROR"},
        # The requests of the development server: not by Django's own handler, whose lines would
        # contain sign-in links.
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        "django.security.DisallowedHost": {"filters": ["in_one_line"]},
    },
}
