"""Commands that pages show for copying: they use this registry from any machine, with a token."""

from __future__ import annotations

import json
import shlex

from django.urls import reverse

from boards.access.permissions import Permission, has_permission
from boards.views.http import Request


def register_command(request: Request, name: str = "my-model") -> str:
    """Return the command that registers a version; empty without the register permission."""
    if not has_permission(request.user, Permission.REGISTER):
        return ""
    return _here(request, f"obeya register {shlex.quote(name)} --metric accuracy=0.93")


def python_command(request: Request, call: str) -> str:
    """Return the command that calls a method of the registry and prints its result's sentence."""
    script = f"from obeya import RemoteRegistry; print(RemoteRegistry().{call}.sentence)"
    return _here(request, f"python -c {shlex.quote(script)}")


def quoted(text: str) -> str:
    """Return the text as a Python literal; it needs no escape in the shell's single quotes."""
    # JSON strings are valid Python literals.
    return json.dumps(text, ensure_ascii=False)


def _here(request: Request, command: str) -> str:
    """Return the command with its environment; it reports a missing token."""
    home = request.build_absolute_uri("/").rstrip("/")
    tokens = request.build_absolute_uri(reverse("boards:tokens"))
    return (
        f"export OBEYA_URL={shlex.quote(home)}\n"
        f'export OBEYA_TOKEN="${{OBEYA_TOKEN:?create one on {tokens}}}"\n'
        f"{command}"
    )
