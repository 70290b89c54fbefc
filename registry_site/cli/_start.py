"""Common steps of starting the server: update the database, then serve."""

from __future__ import annotations

import fcntl
import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from registry_site.cli._address import kept_address
from registry_site.cli._deliver import Keeper
from registry_site.cli._options import Misconfigured, has_registry
from registry_site.cli._signals import call_when_stopped

if TYPE_CHECKING:
    from granian.server.common import AbstractServer

# Any number, as long as every start of this version and later ones uses the same.
_POSTGRESQL_LOCK = 0x0BE7A
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked up, not listened on
# More than there are cores: a thread that waits for the database does not use one.
_THREADS_PER_WORKER = 8
_SECONDS_TO_STOP = 8


def prepare() -> bool:
    """Migrate, check, collect static files, delete old sessions; one start at a time.

    Returns whether the registry is new.
    """
    from django.conf import settings
    from django.core.checks import run_checks
    from django.core.management import CommandError, call_command
    from django.db import connections

    from registry_site.static import collect_if_changed

    with _database_errors_as_sentences(), _alone():
        is_new = not has_registry()
        try:
            call_command("migrate", interactive=False, verbosity=0)
        except CommandError as error:
            raise Misconfigured(str(error)) from error
        collect_if_changed()
        # These settings were read before; workers may inherit them.
        settings.WHITENOISE_USE_FINDERS = settings.DEBUG
        call_command("clearsessions", verbosity=0)
        problems = [found for found in run_checks(databases=["default"]) if found.is_serious()]
    if problems:
        raise Misconfigured("\n".join(map(str, problems)))
    connections.close_all()
    return is_new


def free_port() -> int:
    """Return the port to listen on, which is free now; the error says what to do if it is not.

    Checked before anything else is done, and checked here: the server would share a port with
    another server of the same user without an error.
    """
    from django.conf import settings

    host, port = settings.OBEYA_HOST, settings.OBEYA_PORT
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        raise Misconfigured(
            f"Cannot listen on port {port} of {host}: {error.strerror}. "
            "Choose another port with --port or OBEYA_PORT."
        ) from error


def serve(port: int) -> None:
    """Serve until SIGINT or SIGTERM; print the address once the server answers."""
    from django.conf import settings
    from django.db import connections
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LOGGING_CONFIG, LogLevels
    from granian.server import Server

    from registry_site.cookies import name_cookies
    from registry_site.demo.notice import show_notice_of_demo

    show_notice_of_demo()
    name_cookies()
    create_anonymous_account()
    lines = ["Obeya is ready:", address(port), *_first_sign_in(port)]
    connections.close_all()

    host = settings.OBEYA_HOST
    server = Server(
        "registry_site.cli._worker:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=settings.OBEYA_WORKERS,
        blocking_threads=_THREADS_PER_WORKER,
        backlog=2048,
        http=HTTPModes.http1,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=_SECONDS_TO_STOP,
        log_level=LogLevels.error,
        log_dictconfig=_log_config(LOGGING_CONFIG),
    )
    announcer = threading.Thread(
        target=_announce, args=(server, _WILDCARDS.get(host, host), port, lines), daemon=True
    )
    keeper = Keeper(address(port).rstrip("/")) if settings.OBEYA_WORKER else None

    def stop() -> None:
        if keeper:
            keeper.ask_to_stop()
        server.signal_handler_interrupt()  # type: ignore[no-untyped-call]

    # First, so that no other thread exists that could receive a signal.
    server.on_startup(lambda: call_when_stopped(stop))
    server.on_startup(announcer.start)
    if keeper:
        server.on_shutdown(keeper.stop)
    with kept_address(settings.OBEYA_DATA_DIR, address(port)):
        server.serve()
    # The terminal may have been closed.
    with suppress(OSError):
        click.echo("Stopped.")


def create_anonymous_account() -> None:
    """Create the account of callers without a token, if they are allowed.

    Otherwise their first request would create it, and a read would write.
    """
    from django.conf import settings
    from django.utils import timezone

    from boards.registry.accounts.anonymous import AnonymousAccess, anonymous_actor
    from obeya.errors import AlreadyExists
    from obeya.records import Channel

    access = AnonymousAccess(settings.OBEYA_ANONYMOUS)
    if access is AnonymousAccess.NONE:
        return
    try:
        anonymous_actor(access=access, channel=Channel.MLFLOW, at=timezone.now())
    except AlreadyExists as error:
        raise Misconfigured(
            f"OBEYA_ANONYMOUS needs the account name “anonymous”. {error}"
        ) from error


def _first_sign_in(port: int) -> list[str]:
    """Return lines about the first sign-in; none if someone has a password."""
    from boards.access.actors import SYSTEM
    from boards.first_sign_in import first_administrator, one_time_link_path
    from boards.registry.accounts.users import anyone_has_password

    if anyone_has_password():
        return []
    account = first_administrator()
    if account is None:
        return [
            "",
            "No account has a password yet, and there is no active administrator. To create one:",
            "obeya user create NAME --group administrator",
        ]
    return [
        "",
        f"No account has a password yet. Sign in as {account.username} with this sign-in link:",
        address(port, one_time_link_path(account, actor=SYSTEM)),
    ]


def address(port: int | None = None, path: str = "/") -> str:
    """Return the public URL of a path of this server; `port` None means the configured port."""
    from django.conf import settings

    if settings.OBEYA_HTTPS:
        # Behind a proxy: people use its address, not that of this process.
        if settings.CSRF_TRUSTED_ORIGINS:
            return f"{settings.CSRF_TRUSTED_ORIGINS[0]}{path}"
        return f"https://{settings.ALLOWED_HOSTS[0].lstrip('.')}{path}"
    host = _WILDCARDS.get(settings.OBEYA_HOST, settings.OBEYA_HOST)
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{port or settings.OBEYA_PORT}{path}"


def _announce(server: AbstractServer[Any], host: str, port: int, lines: list[str]) -> None:
    """Print the lines once the server answers HTTP."""
    pause = threading.Event()
    # This thread does nothing while the workers start: they may be forks.
    while len(server.wrks) < server.workers:
        pause.wait(0.05)
    while True:
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection(host, port, timeout=5)) as connection,
        ):
            connection.request("GET", "/livez")
            connection.getresponse().read()
            break
        pause.wait(0.05)
    click.echo("\n".join(lines))


def _log_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs from the server's own configuration: to stderr, without secrets."""
    handlers = {
        name: {**handler, "stream": "ext://sys.stderr"}
        for name, handler in config["handlers"].items()
    }
    formatters = {
        name: {**formatter, "()": "registry_site.logs.RedactingFormatter"}
        for name, formatter in config["formatters"].items()
    }
    return {"handlers": handlers, "formatters": formatters}


@contextmanager
def _alone() -> Iterator[None]:
    """Exclude other starts on the same data directory or PostgreSQL database."""
    from django.conf import settings
    from django.db import connection

    with (settings.OBEYA_DATA_DIR / ".start-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if connection.vendor != "postgresql":
            yield
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_POSTGRESQL_LOCK])
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_POSTGRESQL_LOCK])


@contextmanager
def _database_errors_as_sentences() -> Iterator[None]:
    from django.db import DatabaseError, InterfaceError

    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        raise Misconfigured(f"The database cannot be used: {error}") from error
