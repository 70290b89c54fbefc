"""What `import obeya` offers, and what it must not need."""

from __future__ import annotations

import subprocess
import sys

import obeya


def test_the_public_names_are_sorted_and_there() -> None:
    assert obeya.__all__ == sorted(obeya.__all__)
    assert all(hasattr(obeya, name) for name in obeya.__all__)


def test_importing_the_core_needs_neither_django_nor_the_command_line() -> None:
    code = (
        "import sys, obeya; "
        "print([name for name in ('django', 'click', 'rich', 'boards') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
