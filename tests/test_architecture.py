"""Architecture rules of CONTRIBUTING.md, checked on the source code."""

from __future__ import annotations

import ast
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.contrib import admin

from boards.admin.read_only import ReadOnlyAdmin
from boards.registry.database import DatabaseRegistry
from obeya import InMemoryRegistry, ModelRegistry, RemoteRegistry
from tests.accessible_names import wrongly_named
from tests.offenders import every_case
from tests.write_path import write_functions

ROOT = Path(__file__).resolve().parents[1]
LINES_MAX = 400
RECORD_FIELDS_MIN = 4
POSITIONAL_FIELDS_MAX = 2
# Modules that are allowed to be longer, and why.
LONG = {"obeya/remote/registry.py": "one class with one short method for each operation"}
HELPER_COLLECTIONS = {"utils", "util", "helpers", "helper", "common", "misc"}

# --- One write path -------------------------------------------------------------------------------

WRITE_PATH = "boards/registry/"
WRITES = {
    "save",
    "create",
    "update",
    "delete",
    "bulk_create",
    "bulk_update",
    "get_or_create",
    "update_or_create",
    "create_user",
    "create_superuser",
    "set_password",
    "asave",
    "acreate",
    "aupdate",
    "adelete",
    "abulk_create",
    "abulk_update",
    "aget_or_create",
    "aupdate_or_create",
    "_raw_delete",
}
READS = re.compile(r"f?['\"]+(\\n|\s)*(SELECT|WITH)\b")
RAW_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|REPLACE|TRUNCATE|ALTER|DROP|CREATE)\b")

# Each place outside the write path that writes, and the reason.
EXCEPTIONS = {
    "boards/access/permissions.py create_groups_after_migrate": (
        "makes the groups after a migration, before anybody could act"
    ),
    "boards/models/access.py create_user": "is Django's own, in a transaction with its event",
    "boards/models/access.py create_superuser": "is Django's own, in a transaction with its event",
    "boards/files/blob_store.py place": "stores content, which no row names yet",
    "boards/files/blob_store.py discard": "removes content that no row names any more",
    "boards/triggers.py install": "installs what refuses to change the log",
    "boards/queries/snapshot.py snapshot": "begins a transaction that only reads",
    "registry_site/cli/doctor.py _database": "asks SQLite by PRAGMA, which changes nothing",
    "registry_site/sessions.py save": "catches what a write of Django's sessions raises",
    "registry_site/sessions.py delete": "catches what a write of Django's sessions raises",
    "boards/worker/new_work.py _data_version": "asks SQLite by PRAGMA, which changes nothing",
    "boards/worker/new_work.py _listen": "listens to a channel of PostgreSQL",
}


def modules(*packages: str) -> list[Path]:
    found = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    assert found
    return [path for path in found if "migrations" not in path.parts]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions_of(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield each node with the name of the outermost function around it, or ``module``."""
    pending = [("module", tree)]
    while pending:
        where, node = pending.pop()
        yield where, node
        for child in ast.iter_child_nodes(node):
            inside = where
            if where == "module" and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                inside = child.name
            pending.append((inside, child))


def is_write(node: ast.AST) -> bool:
    """Return whether the node calls something that changes rows: manager, queryset, row or cursor.

    Calls of the write path itself do not count: its modules are imported as ``…_writes``.
    """
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    called_on = node.func.value
    if node.func.attr in {"execute", "executemany", "executescript"}:
        text = ast.unparse(node.args[0]) if node.args else ""
        return not READS.match(text) or bool(RAW_WRITES.search(text))
    if node.func.attr not in WRITES:
        return False
    if isinstance(called_on, ast.Name) and (
        called_on.id == "router" or called_on.id.endswith("_writes")
    ):
        return False
    # A queryset's update takes only keywords; that of a dict or set takes one positional argument.
    return not (node.func.attr == "update" and node.args and not node.keywords)


def test_only_the_write_path_writes():
    places = {}
    for path in modules("boards", "registry_site"):
        if name_of(path).startswith(WRITE_PATH):
            continue
        for where, node in functions_of(ast.parse(path.read_text())):
            if is_write(node):
                place = f"{name_of(path)} {where}"
                places[place] = f"{name_of(path)}:{node.lineno}: {ast.unparse(node)[:80]}"
    assert sorted(text for place, text in places.items() if place not in EXCEPTIONS) == []


@pytest.mark.parametrize("place", list(EXCEPTIONS))
def test_every_exception_still_writes(place):
    path, function = place.split()
    nodes = functions_of(ast.parse((ROOT / path).read_text()))
    assert any(where == function and is_write(node) for where, node in nodes)


@pytest.mark.parametrize(
    "text",
    [
        "row.save()",
        "models.User.objects.create(username='x')",
        "queryset.filter(pk=1).update(stage='x')",
        "rows.delete()",
        "objects.bulk_create(rows)",
        "objects.get_or_create(pk=1)",
        "cursor.execute('DELETE FROM x')",
        "cursor.execute(statement)",
        "cursor.execute('WITH x AS (SELECT 1) DELETE FROM y')",
    ],
)
def test_a_write_is_recognised(text):
    assert is_write(ast.parse(text, mode="eval").body)


@pytest.mark.parametrize(
    "text",
    [
        "names.update(others)",
        "cursor.execute('SELECT 1')",
        "rows.filter(pk=1)",
        "user_writes.create_user(username='x')",
        "router.delete('/models/{name}')",
    ],
)
def test_reads_are_not_taken_for_writes(text):
    assert not is_write(ast.parse(text, mode="eval").body)


# The check above does not see writes by Django's own code. These are the tables that its admin can
# change, and why; Django's views also write sessions and the time of the last sign-in.
CHANGED_BY_DJANGO = {
    "boards.User": (
        "its forms write the account; boards/admin/accounts.py records it in the same transaction"
    ),
}


def test_the_admin_changes_no_other_table_than_those_named():
    admin.autodiscover()
    changed = {
        model._meta.label
        for model, shown in admin.site._registry.items()
        if not isinstance(shown, ReadOnlyAdmin)
    }
    assert changed == set(CHANGED_BY_DJANGO)


WITHOUT_EVENT = {
    "store_blob": "no version changes by content that is stored",
}


def test_functions_of_the_write_path_take_only_keywords_with_actor_and_time():
    with every_case() as case:
        for name, function in write_functions():
            with case(name):
                parameters = inspect.signature(function).parameters
                assert {p.kind for p in parameters.values()} <= {inspect.Parameter.KEYWORD_ONLY}
                for required in ("actor", "at") if name not in WITHOUT_EVENT else ():
                    assert parameters[required].default is inspect.Parameter.empty


def test_each_function_of_the_write_path_has_a_unique_name():
    names = Counter(name for name, _ in write_functions())
    assert [name for name, count in names.items() if count > 1] == []


# --- Records --------------------------------------------------------------------------------------


def positional_fields(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield each large dataclass of a module, with its number of positional fields."""
    for node in ast.walk(tree):
        decorators = node.decorator_list if isinstance(node, ast.ClassDef) else ()
        if not any("dataclass(" in ast.unparse(decorator) for decorator in decorators):
            continue
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
        if len(fields) >= RECORD_FIELDS_MIN:
            types = [ast.unparse(field.annotation) for field in fields]
            keyword_only = any("kw_only=True" in ast.unparse(d) for d in decorators)
            count = types.index("KW_ONLY") if "KW_ONLY" in types else len(types)
            yield node.name, 0 if keyword_only else count


def test_a_record_with_many_fields_is_constructed_by_keyword():
    found = {
        f"{name_of(path)} {name}": count
        for path in modules("boards")
        for name, count in positional_fields(ast.parse(path.read_text()))
    }
    assert found
    assert {name: n for name, n in found.items() if n > POSITIONAL_FIELDS_MAX} == {}


# --- Modules --------------------------------------------------------------------------------------


def test_a_module_is_short_enough_to_be_read():
    lengths = {
        name_of(path): len(path.read_text().splitlines())
        for path in modules("obeya", "boards", "registry_site")
    }
    assert {n for n, k in lengths.items() if k > LINES_MAX} == set(LONG)


def test_no_module_is_a_collection_of_helpers():
    paths = [*modules("obeya", "boards", "registry_site"), *ROOT.glob("tests/**/*.py")]
    assert [
        name_of(path) for path in paths if {path.stem, path.parent.name} & HELPER_COLLECTIONS
    ] == []


def inherits_docstring(parent: ast.AST, name: str) -> bool:
    """Return whether `name` is a registry method that the contract documents."""
    bases = parent.bases if isinstance(parent, ast.ClassDef) else []
    is_registry = "ModelRegistry" in {ast.unparse(base) for base in bases}
    return is_registry and hasattr(ModelRegistry, name)


def undocumented(tree: ast.Module) -> Iterator[str]:
    if not ast.get_docstring(tree) and tree.body:
        yield "the module itself"
    pending: list[ast.Module | ast.ClassDef] = [tree]
    while pending:
        parent = pending.pop()
        for node in parent.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if node.name.startswith("_") or node.name in {"Meta", "Media"}:
                continue
            if any("overload" in ast.unparse(d) for d in node.decorator_list):
                continue
            if not ast.get_docstring(node) and not inherits_docstring(parent, node.name):
                yield f"line {node.lineno}: {node.name}"
            if isinstance(node, ast.ClassDef):
                pending.append(node)


def test_everything_public_has_a_docstring():
    assert [
        f"{name_of(path)}: {what}"
        for path in modules("obeya", "boards", "registry_site")
        for what in undocumented(ast.parse(path.read_text()))
    ] == []


@pytest.mark.parametrize("implementation", [InMemoryRegistry, DatabaseRegistry, RemoteRegistry])
def test_a_registry_shows_the_docstrings_of_the_contract(implementation: type) -> None:
    contract = {n: m for n, m in vars(ModelRegistry).items() if inspect.isfunction(m) and m.__doc__}
    assert "register_model" in contract
    for name, method in contract.items():
        assert inspect.getdoc(getattr(implementation, name)) == inspect.getdoc(method)


def private_imports(path: Path) -> Iterator[str]:
    """Return the names with a leading underscore imported from another package."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        for imported in node.names:
            parts = (*node.module.split("."), imported.name)
            for place, part in enumerate(parts):
                owner = parts[:place]
                is_module = ROOT.joinpath(*owner).with_suffix(".py").is_file()
                is_private = part.startswith("_") and not part.startswith("__")
                if is_private and (owner[:-1] if is_module else owner) != package:
                    yield ".".join(parts)


def test_a_leading_underscore_means_private_to_the_package():
    paths = modules("obeya", "boards", "registry_site")
    found = {name_of(path): list(private_imports(path)) for path in paths}
    assert {path: names for path, names in found.items() if names} == {}


def test_the_core_reads_no_clock_and_knows_no_django():
    for path in modules("obeya"):
        text = path.read_text()
        assert not re.search(r"^\s*(from|import) django", text, re.MULTILINE), path
        # The in-memory registry is a separate registry, and the command line is an entry point.
        if not {"memory", "cli"} & set(path.parts):
            assert not re.search(r"\b(datetime\.now|time\.time|utcnow)\b", text), path


# --- Templates ------------------------------------------------------------------------------------

FORBIDDEN = {
    "hx-on": re.compile(r"\bhx-on\b"),
    "js: values": re.compile(r"""=\s*["']js:"""),
    "filters of hx-trigger": re.compile(r"""hx-trigger\s*=\s*(?:"[^"]*\[|'[^']*\[)"""),
    "inline style": re.compile(r"<[^>]*\sstyle\s*=", re.IGNORECASE),
    "event attributes": re.compile(r"<[^>]*\son[a-z]+\s*=", re.IGNORECASE),
    "inline <script>": re.compile(r"<script(?![^>]*\ssrc=)[^>]*>", re.IGNORECASE),
    "inline <style>": re.compile(r"<style\b", re.IGNORECASE),
    "|safe": re.compile(r"\|\s*safe\b"),
    "autoescape off": re.compile(r"autoescape\s+off"),
    "links that run": re.compile(r"javascript:", re.IGNORECASE),
}
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


def test_no_template_violates_the_content_policy():
    assert TEMPLATES
    assert [
        f"{name_of(path)}: {what}"
        for path in TEMPLATES
        for what, pattern in FORBIDDEN.items()
        if pattern.search(path.read_text())
    ] == []


@pytest.mark.parametrize(
    ("what", "markup"),
    [
        ("hx-on", '<p hx-on:click="x()">'),
        ("js: values", "<p hx-vals='js:{a: 1}'>"),
        ("filters of hx-trigger", '<p hx-trigger="keyup[key==1]">'),
        ("inline style", '<p class="a" style="color: red">'),
        ("event attributes", '<p onclick="x()">'),
        ("inline <script>", "<script>x()</script>"),
        ("inline <style>", "<style>p {}</style>"),
        ("|safe", "{{ text|safe }}"),
        ("autoescape off", "{% autoescape off %}"),
        ("links that run", '<a href="javascript:x()">'),
    ],
)
def test_violations_in_templates_are_recognised(what, markup):
    assert FORBIDDEN[what].search(markup)


def test_no_template_names_an_element_whose_role_prohibits_a_name():
    found = {name_of(path): wrongly_named(without_tags(path.read_text())) for path in TEMPLATES}
    assert {name: tags for name, tags in found.items() if tags} == {}


def without_tags(template: str) -> str:
    """Return the HTML of a template without the output of Django's tags."""
    return re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "", template)


@pytest.mark.parametrize(
    ("markup", "is_wrong"),
    [
        ('<span aria-label="to">→</span>', True),
        ('<pre tabindex="0" aria-label="Command">', True),
        ('<div aria-labelledby="title">', True),
        ('<div role="presentation" aria-label="x">', True),
        ('<span role="img" aria-label="to">→</span>', False),
        ('<section aria-label="Status">', False),
        ('<button aria-label="{% if own %}Change{% endif %} the limit">', False),
        ('<p title="{% url "boards:board" %}">', False),
    ],
)
def test_a_name_that_a_role_prohibits_is_recognised(markup, is_wrong):
    assert bool(wrongly_named(without_tags(markup))) is is_wrong


def test_no_file_contains_merge_conflict_markers():
    texts = [
        path
        for folder in ("templates", "static", "docs")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".html", ".css", ".js", ".md")
    ]
    assert texts
    marks = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)
    assert [path for path in texts if marks.search(path.read_text("utf-8"))] == []


# --- Addresses ------------------------------------------------------------------------------------

# The public package, and the module in which Django looks for models.
GATHERS = {"obeya", "boards.models"}


@cache
def defined_in(module: str) -> set[str] | None:
    """Return the names that one of our modules defines, with submodules; None for other modules."""
    path = ROOT / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if (
        module.split(".", maxsplit=1)[0] not in {"obeya", "boards", "registry_site"}
        or not file.exists()
    ):
        return None
    names = {inside.stem for inside in path.glob("*")} if path.is_dir() else set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def test_a_name_is_imported_from_the_module_that_defines_it():
    elsewhere = [
        f"{name_of(path)}: {alias.name} from {node.module}"
        for path in modules("obeya", "boards", "registry_site", "tests", "scripts", "bench")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module not in GATHERS
        for names in [defined_in(node.module)]
        for alias in node.names
        if names is not None and alias.name not in names
    ]
    assert elsewhere == []
