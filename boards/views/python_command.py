"""Commands that pages print to be copied: Python that runs on this registry."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from django.conf import settings

from boards.models import User
from boards.permissions import Right, has_right


def register_command(user: User) -> str:
    """The command that registers a first version; empty for who may not register any."""
    if not has_right(user, Right.REGISTER):
        return ""
    return python_command(
        user.username, 'registry.register_model("my-model", metrics={"accuracy": 0.93})'
    )


def python_command(username: str, *lines: str) -> str:
    """The shell command that runs the lines on this registry, as that account.

    It works in any directory of the server's machine, with any data directory. In the lines,
    `registry` is the registry.
    """
    script = [
        "",
        "from boards.models import User",
        "from boards.registry import DatabaseRegistry",
        f"registry = DatabaseRegistry(actor=User.objects.get(username={quoted(username)}))",
        *lines,
        "",
    ]
    python = f"{shlex.quote(sys.executable)} -m django shell --settings registry_site.settings -v 0"
    return f"{' '.join(_where())} \\\n{python} -c {shlex.quote(chr(10).join(script))}"


def quoted(text: str) -> str:
    """The text as a literal of Python; it needs no escape within the shell's single quotes."""
    # As JSON, which is Python too.
    return json.dumps(text, ensure_ascii=False)


def _where() -> Iterable[str]:
    """The variables that name this registry's data."""
    database = settings.DATABASES["default"]
    data = Path(settings.OBEYA_DATA_DIR)
    yield f"OBEYA_DATA_DIR={shlex.quote(str(data))}"
    if not database["ENGINE"].endswith("sqlite3"):
        # Its URL may hold a password, so the shell has to know it; it says so if it does not.
        yield 'DATABASE_URL="${DATABASE_URL:?has to be set as it is for the server}"'
    elif Path(database["NAME"]) != data / "obeya.sqlite3":
        yield f"DATABASE_URL={shlex.quote('sqlite:///' + quote(str(database['NAME'])))}"
