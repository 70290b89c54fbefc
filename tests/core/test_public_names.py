"""The public names of `import obeya`, and the modules that the import must not load."""

from __future__ import annotations

import json
import subprocess
import sys

import obeya

# The core must not import these; only the command line draws on terminals.
FOREIGN = ("django", "boards", "registry_site", "click", "rich")


def test_the_public_names_are_sorted_and_exist() -> None:
    assert obeya.__all__ == sorted(obeya.__all__)
    assert len(set(obeya.__all__)) == len(obeya.__all__)
    assert all(hasattr(obeya, name) for name in obeya.__all__)


def test_every_public_name_is_of_the_core() -> None:
    modules = {getattr(obeya, name).__module__ for name in obeya.__all__}
    assert all(module.startswith("obeya.") for module in modules)


def test_importing_the_core_needs_neither_django_nor_the_command_line() -> None:
    code = f"""
import importlib, json, pathlib, sys
import obeya
folder = pathlib.Path(obeya.__file__).parent
paths = [path.relative_to(folder).with_suffix("") for path in folder.rglob("*.py")]
names = [".".join(["obeya", *path.parts]) for path in paths if path.parts[0] != "cli"]
for name in names:
    importlib.import_module(name)
print(json.dumps([names, [name for name in {FOREIGN} if name in sys.modules]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    names, foreign = json.loads(done.stdout)
    assert {"obeya.stages", "obeya.policy.policy", "obeya.memory.registry"} <= set(names)
    assert foreign == []
