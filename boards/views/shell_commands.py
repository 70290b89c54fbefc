"""Commands that pages print to be copied: they reach this registry from anywhere, with a token."""

from __future__ import annotations

import json
import shlex

from django.urls import reverse

from boards.access.permissions import Permission, has_permission
from boards.views.http import Request


def register_command(request: Request, name: str = "my-model") -> str:
    """The command that registers a version of the model; empty for who may not register any."""
    if not has_permission(request.user, Permission.REGISTER):
        return ""
    return _here(request, f"obeya register {shlex.quote(name)} --metric accuracy=0.93")


def python_command(request: Request, call: str) -> str:
    """The command that calls a method of the registry and prints the sentence of its answer."""
    script = f"from obeya import RemoteRegistry; print(RemoteRegistry().{call}.sentence)"
    return _here(request, f"python -c {shlex.quote(script)}")


def quoted(text: str) -> str:
    """The text as a literal of Python; it needs no escape within the shell's single quotes."""
    # As JSON, which is Python too.
    return json.dumps(text, ensure_ascii=False)


def _here(request: Request, command: str) -> str:
    """The command with what it needs to know; it says so where there is no token yet."""
    home = request.build_absolute_uri("/").rstrip("/")
    tokens = request.build_absolute_uri(reverse("boards:tokens"))
    return (
        f"export OBEYA_URL={shlex.quote(home)}\n"
        f'export OBEYA_TOKEN="${{OBEYA_TOKEN:?make one on {tokens}}}"\n'
        f"{command}"
    )
