"""Upgrading installations of commit 457acaf, the last one with thirteen migrations.

Their databases and their export are in `before_squash/`, written by `make_fixtures.py`.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.migrations.old_database import FIXTURES, Place
from tests.packaging.commands import Served, process_environment, run
from tests.plugins.postgresql import running_postgresql

ROOT = Path(__file__).parents[2]
NewPlace = Callable[[str], Place]


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with (
        tempfile.TemporaryDirectory(prefix="obeya-test-") as folder,
        running_postgresql(Path(folder)) as url,
    ):
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> NewPlace:
    server = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    return lambda name: Place(tmp_path / name, server)


@pytest.fixture
def old(new_place: NewPlace) -> Place:
    place = new_place("old")
    place.fill()
    return place


@pytest.fixture
def export(tmp_path: Path) -> Path:
    with tarfile.open(FIXTURES / "export.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "export"


def command(place: Place, *arguments: str | Path) -> str:
    done = run(place.data, *arguments, **place.variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def content_of(folder: Path) -> dict[str, list[object]]:
    return {
        path.name: [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for path in folder.glob("*.jsonl")
    }


def test_an_old_installation_starts_verifies_and_can_be_used(
    old: Place, new_place: NewPlace
) -> None:
    # The command reads only upgraded installations: a second one, without the start's own event.
    migrated = new_place("migrated")
    migrated.fill()
    assert migrate(migrated).returncode == 0
    heads = set(command(migrated, "audit", "head").splitlines())
    # Its endpoints are no longer there, so nothing is sent.
    served = Served(old.data, OBEYA_WORKER="0", **old.variables)
    try:
        served.wait_for_urls(1)
        assert served.stop(signal.SIGTERM) == 0
    finally:
        served.end()
    # The start created a sign-in link, which is an event of the installation's own chain.
    verified = command(old, "audit", "verify")
    assert "4 chains, 114 events: every link is valid, all tables match.\n" in verified
    assert re.match(r"\d+ rows could be compared only in part: their events", verified)
    assert len(heads - set(command(old, "audit", "head").splitlines())) == 1
    examined = command(old, "doctor", "--blobs")
    assert "All tables that the audit log describes match it." in examined
    command(old, "user", "create", "zoe", "--group", "viewer")
    assert "every link is valid" in command(old, "audit", "verify")


def test_the_upgrade_records_accounts_that_the_log_does_not_support(old: Place) -> None:
    old.execute("UPDATE boards_user SET is_superuser = (1 = 1) WHERE username = 'bob'")
    assert migrate(old).returncode == 0
    verified = command(old, "audit", "verify")
    assert "4 chains, 114 events: every link is valid, all tables match.\n" in verified
    adopted = old.execute("SELECT actor_id FROM boards_auditevent WHERE action = 'user.adopted'")
    assert adopted == [(None,)]


def test_an_old_database_has_the_schema_of_a_new_one(old: Place, new_place: NewPlace) -> None:
    new = new_place("new")
    for place in (old, new):
        done = migrate(place)
        assert done.returncode == 0, done.stderr
    assert old.migrations() == new.migrations()
    assert old.schema() == new.schema()


def test_an_old_export_matches_the_old_database(export: Path, tmp_path: Path) -> None:
    new, old = Place(tmp_path / "new", None), Place(tmp_path / "old", None)
    assert "3 models, 12 versions" in command(new, "import", "obeya", export)
    verified = command(new, "audit", "verify")
    assert "4 chains, 113 events: every link is valid, all tables match.\n" in verified
    command(new, "doctor", "--blobs")
    command(new, "export", tmp_path / "of_new")
    old.fill()
    assert migrate(old).returncode == 0
    command(old, "export", tmp_path / "of_old")
    assert content_of(tmp_path / "of_new") == content_of(tmp_path / "of_old")
    assert content_of(tmp_path / "of_new")["versions.jsonl"]


def migrate(place: Place) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "manage.py", "migrate", "--verbosity", "0"],
        capture_output=True,
        text=True,
        check=False,
        env=process_environment(place.data) | place.variables,
        cwd=place.data,
    )


def test_a_partly_migrated_database_is_refused_with_a_message(old: Place, export: Path) -> None:
    old.execute("DELETE FROM django_migrations WHERE app = 'boards' AND name > '0010'")
    before = old.schema(), old.migrations()
    refused = migrate(old)
    refusals = [(1, refused.returncode, refused.stderr)]
    for arguments in (
        ("serve", "--port", "0"),
        ("token", "create", "--scopes", "read"),
        ("import", "obeya", str(export)),
        ("audit", "verify"),
        ("doctor",),
    ):
        done = run(old.data, *arguments, **old.variables)
        refusals.append((2, done.returncode, done.stderr))
    for expected, status, said in refusals:
        assert status == expected, said
        assert "its last migration is 0009_import_channel" in said
        assert "Run `obeya serve` of commit 457acaf on it once" in said
        assert len(said.splitlines()) == 1
    assert (old.schema(), old.migrations()) == before
