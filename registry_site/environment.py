"""Read settings from the environment. Invalid values are refused, never guessed.

Every function takes the name of the variable first, so that docs/settings.md can be checked against
the code.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured

_YES = {"1", "true", "yes", "on"}
_NO = {"", "0", "false", "no", "off"}
_MAX_PORT = 65535
_SERVER_ADDRESS = re.compile(r"https?://([\w.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?(/[^\s?#@]*)?")
_BUCKET = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>/[\w./-]*)?")
_IDENTIFIER = re.compile(r"[a-z0-9]{0,16}")
_making = ContextVar("_making", default=True)


@contextmanager
def nothing_is_made() -> Iterator[None]:
    """Do not create missing directories and keys inside: a name may be mistyped."""
    token = _making.set(False)
    try:
        yield
    finally:
        _making.reset(token)


def is_making() -> bool:
    """Return whether missing directories and keys are created."""
    return _making.get()


def text(name: str, default: str = "") -> str:
    """Return the variable without surrounding space; the default if it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool = False) -> bool:
    """Return whether the variable means yes (1, true, yes, on) or no (0, false, no, off)."""
    value = os.environ.get(name, "").strip().lower()
    if value in _YES:
        return True
    if value in _NO:
        return default if value == "" else False
    raise ImproperlyConfigured(f"{name} is “{value}”. It must be 1 or 0.")


def words(name: str) -> list[str]:
    """Return the comma-separated parts of the variable, without empty ones."""
    return [word for part in os.environ.get(name, "").split(",") if (word := part.strip())]


def one_of(name: str, allowed: Collection[str], default: str) -> str:
    """Return the variable, which must be one of the allowed values."""
    value = text(name, default)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} is “{value}”. It must be one of {', '.join(allowed)}.")
    return value


def identifier(name: str) -> str:
    """Return the variable, which can have up to 16 characters of a-z and 0-9; "" if unset."""
    value = text(name)
    if not _IDENTIFIER.fullmatch(value):
        raise ImproperlyConfigured(
            f"{name} is “{value}”. It must have 1 to 16 characters of a-z and 0-9."
        )
    return value


def port(name: str, default: int) -> int:
    """Return the variable as a port number; 0 means any free port."""
    value = text(name, str(default))
    if not value.isascii() or not value.isdigit() or int(value) > _MAX_PORT:
        raise ImproperlyConfigured(f"{name} is “{value}”. It must be a number up to {_MAX_PORT}.")
    return int(value)


def count(name: str, default: int, *, least: int = 1) -> int:
    """Return the variable as a whole number that is not too small."""
    value = text(name, str(default))
    if not value.isascii() or not value.isdigit() or int(value) < least:
        raise ImproperlyConfigured(
            f"{name} is “{value}”. It must be a whole number, at least {least}."
        )
    return int(value)


def time_zone(name: str, default: str) -> str:
    """Return the variable as the name of a time zone, such as Europe/Paris."""
    value = text(name, default)
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ImproperlyConfigured(
            f"{name} is “{value}”. It must be a time zone such as Europe/Paris."
        ) from None
    return value


def server_address(name: str) -> str:
    """Return the variable as the URL of a server, such as https://mlflow.example.org.

    "" if unset.
    """
    value = text(name).rstrip("/")
    if value and not _SERVER_ADDRESS.fullmatch(value):
        raise ImproperlyConfigured(
            f"{name} must be the URL of a server, http:// or https://, without a password."
        )
    return value


def networks(name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the comma-separated networks of the variable, such as 10.0.0.0/8."""
    try:
        return tuple(ip_network(word) for word in words(name))
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name} must be a comma-separated list of networks such as 10.0.0.0/8: {error}."
        ) from None


def proxies(name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the addresses and networks of the variable; not one that contains every address."""
    found = networks(name)
    if any(network.prefixlen == 0 for network in found):
        raise ImproperlyConfigured(
            f"{name} contains every address, so that every client could choose its own. "
            "List the addresses of your proxies."
        )
    return found


def email(name: str, url: str) -> dict[str, Any]:
    """Return the settings of a mail server from a URL like smtp+tls://user:password@host:587."""
    if not url:
        return {}
    try:
        found = environ.Env.email_url_config(url)
    except Exception as error:  # noqa: BLE001 - the parser raises whatever its parts do
        raise ImproperlyConfigured(f"{name} is not the URL of a mail server: {error}.") from None
    return {key: value for key, value in found.items() if key.startswith("EMAIL_")}


def directory(name: str, default: str) -> Path:
    """Return the variable as a directory; create it, readable for its owner only, if missing."""
    path = Path(text(name, default)).expanduser().resolve()
    if not is_making():
        return path
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name} is {path}, which cannot be created: {error.strerror}."
        ) from None
    return path


def artifact_storage(name: str, where: str) -> dict[str, Any]:
    """Return the storage of files: a directory, or a bucket as ``s3://BUCKET/PREFIX``.

    boto3 reads the bucket's server, region and credentials from its own variables.
    """
    if not where.startswith("s3://"):
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {
                "location": str(Path(where).expanduser().resolve()),
                "file_permissions_mode": 0o600,
                "directory_permissions_mode": 0o700,
            },
        }
    found = _BUCKET.fullmatch(where)
    if found is None:
        raise ImproperlyConfigured(
            f"{name} is “{where}”. It must be a directory, or a bucket like s3://BUCKET/PREFIX."
        )
    try:
        from botocore.config import Config  # noqa: PLC0415 - an extra that is not always there
    except ImportError:
        raise ImproperlyConfigured(
            f"{name} is a bucket, which requires more packages: pip install 'obeya[s3]'."
        ) from None
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": found["bucket"],
            "location": (found["prefix"] or "").strip("/"),
            "file_overwrite": True,
            "default_acl": None,
            # Larger content is spooled to disk while it is read.
            "max_memory_size": 8 * 1024 * 1024,
            "client_config": Config(
                # Servers other than Amazon's refuse the checksums that boto3 adds by default.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                retries={"max_attempts": 5, "mode": "standard"},
                connect_timeout=10,
            ),
        },
    }


def database(name: str, *, data: Path, sqlite_synchronous: str) -> dict[str, Any]:
    """Return the database of the variable's URL, else an SQLite file in the data directory."""
    url = text(name)
    try:
        config = environ.Env.db_url_config(url) if url else {"ENGINE": "django.db.backends.sqlite3"}
    except Exception as error:  # noqa: BLE001 - the parser raises whatever its parts do
        raise ImproperlyConfigured(f"{name} is not the URL of a database: {error}.") from None
    engine = config.get("ENGINE", "")
    if engine == "django.db.backends.sqlite3":
        return _sqlite(config, data=data, synchronous=sqlite_synchronous)
    if engine == "django.db.backends.postgresql":
        # A connection is kept for a minute, and checked before it is used again.
        return {**config, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    raise ImproperlyConfigured(f"{name} must begin with sqlite:// or postgresql://.")


def _sqlite(config: dict[str, Any], *, data: Path, synchronous: str) -> dict[str, Any]:
    """Return settings for one writer at a time, which waits, and readers that never wait.

    IMMEDIATE takes the write lock when a transaction begins, so that a writer waits for the one
    before it (up to `timeout` seconds) instead of failing at its first write.
    """
    return {
        **config,
        "NAME": config.get("NAME") or str(data / "obeya.sqlite3"),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous};",
        },
        # A file, because an in-memory database supports neither WAL nor the timeout.
        "TEST": {"NAME": str(data / "test.sqlite3")},
    }


def secret_key(name: str, *, path: Path) -> str:
    """Return the variable, else the content of the file; the first start creates the file.

    The file is readable for its owner only. Safe if several processes start at the same time: the
    file appears complete or not at all, and only the first process to link it succeeds.
    """
    if given := text(name):
        return given
    with suppress(FileNotFoundError, NotADirectoryError):
        return _nonempty(path)
    if not is_making():
        # Enough for a command that signs nothing.
        return secrets.token_urlsafe(50)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    except OSError as error:
        raise ImproperlyConfigured(
            f"The secret key cannot be stored in {path}: {error.strerror}. Set {name} instead."
        ) from None
    finally:
        draft.unlink(missing_ok=True)
    return _nonempty(path)


def _nonempty(path: Path) -> str:
    try:
        key = path.read_text().strip()
    except PermissionError:
        raise ImproperlyConfigured(
            f"Cannot read the secret key in {path}: permission denied."
        ) from None
    if not key:
        raise ImproperlyConfigured(f"The file of the secret key, {path}, is empty. Remove it.")
    return key
