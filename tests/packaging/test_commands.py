"""The `obeya` command as users start and stop it."""

from __future__ import annotations

import hashlib
import html
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import closing, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from boards.access import permissions
from obeya import cli
from obeya.cli import server
from registry_site.cli import user
from tests.packaging.commands import (
    CLIENT,
    SECONDS,
    URL,
    Served,
    children,
    forks,
    process_environment,
    run,
    signed_in,
    wait_until,
    wait_until_ended,
)
from tests.unreadable_texts import NESTED

ROOT = Path(__file__).parents[2]


# The expensive server is shared, so one pytest-xdist worker runs all tests that use it.
@pytest.fixture
def served(data):
    """Run a server for one test."""
    server = Served(data)
    yield server
    server.end()


class FirstStart:
    """A server whose data directory was created by a token, and the first page it showed."""

    def __init__(self, data):
        self.data = data
        made = run(data, "token", "create", "--scopes", "read,write,admin")
        assert made.returncode == 0, made.stderr
        self.token, self.notice = made.stdout.splitlines()[-1], made.stderr
        self.log = data.parent / f"{data.name} server.log"
        with self.log.open("w", encoding="utf-8") as log:
            self.server = Served(data, "--workers", "1", log=log, OBEYA_WORKER="0")
        self.home, self.link = self.server.wait_for_urls(2)
        self.browser = signed_in(self.link)
        self.empty_board = self.browser.open(self.home).read().decode()


@pytest.fixture(scope="module")
def first_start(tmp_path_factory):
    """Return the shared server, for tests that do not stop it or depend on its content."""
    started = FirstStart(tmp_path_factory.mktemp("first start"))
    yield started
    started.server.end()


def open_to_others(directory):
    """Return the names of the files that other accounts can read."""
    return [path.name for path in directory.iterdir() if path.stat().st_mode & 0o077]


def status(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def is_free(port):
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_once_its_url_is_printed_and_stops_on_a_signal(served, data, how):
    home, link = served.wait_for_urls(2)
    assert link.startswith(f"{home}sign-in/once/")
    assert [status(f"{home}livez"), status(f"{home}readyz"), status(link)] == [200, 200, 200]

    # Neither an idle connection nor a request that never ends stops it from shutting down.
    port = int(URL.match(home)[1])
    with (
        closing(socket.create_connection(("127.0.0.1", port))) as idle,
        closing(socket.create_connection(("127.0.0.1", port))) as unfinished,
    ):
        idle.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(12) == b"HTTP/1.1 200"
        head = b"POST /sign-in/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
        unfinished.sendall(head)
        workers = children(served.process)
        assert workers
        assert served.stop(how) == 0
    wait_until_ended(workers)
    check_that_a_link_says_no_server_runs(data, home)


def test_the_port_is_free_again_after_it_was_killed(served, data):
    home, _ = served.wait_for_urls(2)
    workers = children(served.process)
    served.stop(signal.SIGKILL)
    port = int(URL.match(home)[1])
    wait_until(lambda: is_free(port))
    wait_until_ended(workers)
    check_that_a_link_says_no_server_runs(data, home)


def check_that_a_link_says_no_server_runs(data, home):
    done = run(data, "user", "create", "carol", "--group", "viewer")
    assert "No server runs on this data now." in done.stdout
    assert home not in done.stdout
    assert done.stdout.splitlines()[-1].startswith("http://127.0.0.1:8000/sign-in/once/")


def read_until(terminal, wanted):
    """Return a terminal's output until `wanted` appears, or until its end if `wanted` is None."""
    text, deadline = b"", time.monotonic() + SECONDS
    while wanted is None or wanted not in text:
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"Nothing more after {SECONDS} s: {text!r}"
        try:
            read = os.read(terminal, 4096)
        except OSError:
            read = b""
        if not read:
            assert wanted is None, f"It ended: {text!r}"
            break
        text += read
    return text


# The server kills a worker that does not stop within some seconds. Here it never does, so such a
# worker fails the test, however fast the machine is.
PATIENT = f"""#!{sys.executable}
from obeya.cli import main
from registry_site.cli import _start
assert _start._SECONDS_TO_STOP
_start._SECONDS_TO_STOP = 100_000
main()
"""


def test_ctrl_c_in_a_terminal_stops_make_and_all_below_it(tmp_path):
    ready, obeya = tmp_path / "ready", tmp_path / "bin" / "obeya"
    ready.touch()
    obeya.parent.mkdir()
    obeya.write_text(PATIENT)
    obeya.chmod(0o700)
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        os.execvpe(  # noqa: S606 - a command of our own
            "make",
            [
                *("make", "run", f"BIN={obeya.parent}", f"SERVER_READY={ready}"),
                *(f"DATA={tmp_path / 'data'}", "PORT=0"),
            ],
            process_environment(tmp_path / "elsewhere") | {"OBEYA_WORKERS": "3"},
        )
    try:
        read_until(terminal, b"sign-in/once")
        assert open_to_others(tmp_path / "data") == []
        os.write(terminal, b"\x03")
        said = read_until(terminal, None)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process, signal.SIGTERM)
        os.close(terminal)
        os.waitpid(process, 0)
    assert b"Stopped." in said
    assert b"Traceback" not in said
    assert b"Unexpected" not in said


def test_a_sign_in_is_recorded_and_its_link_is_not_logged(first_start):
    # They are written after the answer.
    for action in ("user.link_used", "user.signed_in"):
        wait_until(lambda: f'"{action}' in _exported(first_start.data))  # noqa: B023 - used here
    without_csrf = urllib.request.Request(first_start.link, b"", method="POST")
    with pytest.raises(urllib.error.HTTPError, match="403") as refused:
        urllib.request.urlopen(without_csrf, timeout=10)
    refused.value.close()
    wait_until(lambda: "CSRF" in first_start.log.read_text(encoding="utf-8"))
    log = first_start.log.read_text(encoding="utf-8")
    assert "/sign-in/once/…/" in log
    assert first_start.link.rstrip("/").rpartition("/")[2] not in log


def _exported(data):
    return run(data, "audit", "export").stdout.replace("\\", "")


def test_files_are_served_under_hashed_names(first_start):
    home = first_start.home
    with urllib.request.urlopen(f"{home}sign-in/", timeout=10) as answer:
        page = answer.read().decode()
    addresses = re.findall(r'(?:href|src)="/(static/[^"]+)"', page)
    assert addresses
    for address in addresses:
        assert re.search(r"\.[0-9a-f]{12}\.\w+$", address)
        with urllib.request.urlopen(home + address, timeout=10) as answer:
            assert "immutable" in answer.headers["Cache-Control"]


def test_a_port_in_use_is_reported(tmp_path):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        done = run(tmp_path, "serve", "--port", port)
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["serve", "--workflow", "lax"], "OBEYA_WORKFLOW"),
        (["serve", "--database-url", "mysql://db/registry"], "DATABASE_URL"),
        (["serve", "--database-url", "postgresql://127.0.0.1:1/none"], "database"),
        (["user", "create", "bob", "--group", "king"], "king"),
        (["user", "create", "bob", "--group", "viewer", "--password-stdin"], "password"),
    ],
)
def test_invalid_options_are_refused_with_a_message(data, arguments, says):
    done = run(data, *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


ABOUT_A_REGISTRY = [
    ("audit", "verify"),
    ("audit", "head"),
    ("audit", "export"),
    ("policy", "export"),
    ("policy", "apply", "policies.yml"),
    ("user", "create", "bob", "--group", "viewer"),
]


@pytest.mark.parametrize("command", ABOUT_A_REGISTRY, ids=" ".join)
def test_a_mistyped_data_directory_is_refused_and_not_created(tmp_path, command):
    (tmp_path / "policies.yml").write_text("policies: []", encoding="utf-8")
    (tmp_path / "other").mkdir()
    for mistyped in ("dada", "other"):
        done = run(tmp_path, *command, "--data-dir", mistyped)
        assert done.returncode == 2
        assert f"There is no registry in {tmp_path / mistyped}." in done.stderr
        assert "obeya serve" in done.stderr
        assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["other", "policies.yml"]


def test_a_database_without_a_registry_is_refused(tmp_path, data):
    with closing(sqlite3.connect(tmp_path / "other.sqlite3")) as other:
        other.execute("CREATE TABLE thing (x)")
    for name, says in {
        "other.sqlite3": "There is no registry in the database of DATABASE_URL.",
        "none.sqlite3": "There is no registry in the database of DATABASE_URL.",
    }.items():
        done = run(tmp_path, "audit", "head", "--database-url", f"sqlite:///{tmp_path / name}")
        assert (done.returncode, says in done.stderr) == (2, True)
    with closing(sqlite3.connect(data / "obeya.sqlite3")) as older:
        older.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
        older.commit()
    done = run(data, "audit", "head")
    assert done.returncode == 2
    assert "is from an earlier version of Obeya. Run `obeya serve` on it once" in done.stderr


def test_a_database_url_needs_no_data_directory_and_creates_none(tmp_path, data):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    url = f"sqlite:///{data / 'obeya.sqlite3'}"
    for command in (("user", "create", "bob", "--group", "viewer"), ("audit", "verify")):
        done = run(elsewhere, *command, "--database-url", url, "--data-dir", "none")
        assert done.returncode == 0, done.stderr
    assert list(elsewhere.iterdir()) == []
    assert "2 events" in run(data, "audit", "verify").stdout


def test_accounts_and_the_audit_log(data):
    made = run(
        data,
        *("user", "create", "bob", "--group", "viewer", "--password-stdin"),
        stdin="correct horse battery\n",
    )
    assert made.returncode == 0, made.stderr
    again = run(data, "user", "create", "Bob", "--group", "viewer")
    assert (again.returncode, "Traceback" in again.stderr) == (4, False)
    linked = run(data, "user", "create", "carol", "--group", "approver")
    assert URL.match(linked.stdout.splitlines()[-1])[2].startswith("sign-in/once/")
    verified = run(data, "audit", "verify")
    assert (verified.returncode, verified.stdout) == (
        0,
        "1 chain, 3 events: every link is valid, all tables match.\n",
    )


def test_an_existing_name_is_refused_with_the_command_for_a_link(data):
    run(data, "user", "create", "bob", "--group", "viewer")
    again = run(data, "user", "create", "Bob", "--group", "viewer", "--data-dir", str(data))
    assert again.returncode == 4
    assert "An account named “Bob” already exists." in again.stderr
    command = again.stderr.strip().rpartition(": ")[2]
    assert command == f"obeya user link bob --data-dir {data}"
    linked = run(data, *command.split()[1:])
    assert linked.returncode == 0, linked.stderr
    assert URL.match(linked.stdout.splitlines()[-1])[2].startswith("sign-in/once/")


def test_a_link_for_an_unknown_account_is_refused(data):
    unknown = run(data, "user", "link", "nobody")
    assert unknown.returncode == 3
    assert "There is no account named “nobody”." in unknown.stderr
    assert "obeya user create nobody --group GROUP" in unknown.stderr
    run(data, "user", "create", "bob", "--group", "viewer")
    with closing(sqlite3.connect(data / "obeya.sqlite3")) as database:
        database.execute("UPDATE boards_user SET is_active = 0")
        database.commit()
    inactive = run(data, "user", "link", "bob")
    assert (inactive.returncode, inactive.stdout) == (3, "")
    assert "“bob” is not active." in inactive.stderr


def test_a_link_leads_to_the_server_that_runs_on_the_data(first_start):
    home, data = first_start.home, first_start.data
    before = number_of_events(data)
    for command in (("create", "carol", "--group", "viewer"), ("link", "carol")):
        done = run(data, "user", *command)
        assert done.returncode == 0, done.stderr
        said, link = done.stdout.splitlines()[-2:]
        assert said == f"One-time sign-in link of carol at {home}, valid for one day:"
        assert link.startswith(f"{home}sign-in/once/")
        assert status(link) == 200
    assert number_of_events(data) == before + 3
    elsewhere = run(data, "user", "link", "carol", "--host", "localhost", "--port", "8123")
    assert elsewhere.stdout.splitlines()[-1].startswith("http://localhost:8123/sign-in/once/")


def number_of_events(data):
    return int(re.search(r"(\d+) events", run(data, "audit", "verify").stdout)[1])


def test_the_command_of_an_empty_board_works_wherever_it_is_run(first_start, tmp_path):
    home, data = first_start.home, first_start.data
    command = re.search(
        r'<pre class="command"[^>]*>(.*?)</pre>', first_start.empty_board, re.DOTALL
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        ["sh", "-c", html.unescape(command[1])],
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in process_environment(data).items() if not k.startswith("OBEYA_")},
        cwd=elsewhere,
    )
    assert done.returncode != 0
    assert f"create one on {home}settings/tokens/" in done.stderr
    token = run(data, "token", "create", "--scopes", "read,write").stdout.split()[-1]
    bin_of_obeya = Path(sys.executable).parent
    done = subprocess.run(
        ["sh", "-c", html.unescape(command[1])],
        capture_output=True,
        text=True,
        check=False,
        env={
            **process_environment(data),
            "OBEYA_TOKEN": token,
            "PATH": f"{bin_of_obeya}:{os.environ['PATH']}",
        },
        cwd=elsewhere,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(elsewhere.iterdir()) == []
    assert "my-model" in first_start.browser.open(home).read().decode()


def test_only_the_owner_can_read_the_data(first_start):
    assert open_to_others(first_start.data) == []


def test_the_groups_that_can_be_chosen_are_those_of_the_registry():
    assert tuple(permissions.GROUPS) == user.GROUPS


def test_it_starts_without_an_administrator_and_says_what_to_do(data):
    made = run(data, "user", "create", "admin", "--group", "viewer")
    assert made.returncode == 0, made.stderr
    server = Served(data, "--workers", "1", OBEYA_WORKER="0")
    try:
        (home,) = server.wait_for_urls(1)
        hint = [server.process.stdout.readline().strip() for _ in range(3)]
        assert "there is no active administrator" in hint[1]
        assert hint[2] == "obeya user create NAME --group administrator"
        assert status(f"{home}readyz") == 200
    finally:
        server.end()


def test_without_the_server_its_commands_say_how_to_get_it(monkeypatch):
    monkeypatch.setattr(server, "_is_missing", lambda module: module == "django")
    done = CliRunner().invoke(cli.main, ["serve"])
    assert done.exit_code == 2
    assert "This command needs the server: pip install 'obeya[server]'" in done.output
    assert CliRunner().invoke(cli.main, ["--help"]).exit_code == 0


def test_commands_start_in_a_new_process(data):
    """Cover what forks would hide: nearly all other tests run commands in forks."""
    for command in (
        ("user", "create", "bob", "--group", "administrator"),
        ("audit", "verify"),
        ("doctor",),
        ("export", "out"),
        ("gc",),
        ("policy", "export"),
        ("token", "list"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "obeya.cli", *command],
            capture_output=True,
            text=True,
            check=False,
            env=process_environment(data),
            cwd=data,
        )
        assert (done.returncode, done.stderr) == (0, ""), command
        assert done.stdout


def test_help_does_not_wait_for_django(tmp_path):
    script = (
        "import sys; from obeya.cli import main; main(['--help'], standalone_mode=False);"
        "assert 'serve' in main.list_commands(None); assert 'django' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# --- The audit log and its exports ----------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(empty_registry, tmp_path_factory):
    """Return a registry's data, and a directory with an auditor's copy of its export."""
    home = tmp_path_factory.mktemp("home")
    data = shutil.copytree(empty_registry, tmp_path_factory.mktemp("data") / "data")
    for name in ("bob", "carol"):
        arguments = ("user", "create", name, "--group", "viewer", "--password-stdin")
        assert run(data, *arguments, stdin="correct horse battery\n").returncode == 0
    for file, arguments in {
        "log.jsonl": ["export"],
        "log.csv": ["export", "--format", "csv"],
        "heads.txt": ["head"],
        "heads.json": ["head", "--json"],
    }.items():
        done = run(data, "audit", *arguments)
        assert done.returncode == 0, done.stderr
        (home / file).write_text(done.stdout, encoding="utf-8")
    return data, home


# Django and its dependencies are missing, as after installing only the core.
WITHOUT_SERVER = """
import importlib.util, sys
assert not {"django", "boards"} & {*sys.modules}
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == "django" else find_spec(name, *a)
class Missing:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("django", "boards"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
from obeya.cli import main
main(prog_name="obeya")
"""


def run_without_server(directory, *arguments, stdin=""):
    return forks(*CLIENT).run(
        "code",
        WITHOUT_SERVER,
        *arguments,
        environment=process_environment(directory),
        cwd=directory,
        stdin=stdin,
    )


def test_an_export_verifies_without_the_server(exported):
    _, home = exported
    done = run_without_server(home, "audit", "verify", "log.jsonl")
    assert (done.returncode, done.stdout) == (0, "1 chain, 2 events: every link is valid.\n")
    for heads in ("heads.txt", "heads.json"):
        done = run_without_server(home, "audit", "verify", "log.jsonl", "--against", heads)
        assert done.returncode == 0
        assert done.stdout.endswith("every link is valid, 1 stored head confirmed.\n")
    text = (home / "log.jsonl").read_text(encoding="utf-8")
    assert run_without_server(home, "audit", "verify", "-", stdin=text).returncode == 0


@pytest.mark.parametrize("arguments", [["verify"], ["head"], ["export"]])
def test_commands_that_read_the_database_require_the_server(exported, arguments):
    done = run_without_server(exported[1], "audit", *arguments)
    assert done.returncode == 2
    assert "This command needs the server" in done.stderr
    assert run_without_server(exported[1], "audit", "--help").returncode == 0


def test_a_broken_export_exits_with_1_and_names_the_link(exported, tmp_path):
    first, second = (exported[1] / "log.jsonl").read_text(encoding="utf-8").splitlines()
    broken = tmp_path / "broken.jsonl"
    broken.write_text(f"{first}\n{second.replace('viewer', 'approver')}\n", encoding="utf-8")
    done = run_without_server(tmp_path, "audit", "verify", "broken.jsonl")
    assert done.returncode == 1
    assert "event 2: its text does not match its stored hash" in done.stderr
    assert "1 chain, 2 events: 1 chain broken." in done.stderr


def test_an_event_nested_too_deeply_exits_with_1_and_is_named_in_a_file(exported, tmp_path):
    first, second = (exported[1] / "log.jsonl").read_text(encoding="utf-8").splitlines()
    nested = json.dumps(json.loads(second) | {"canonical_text": NESTED})
    (tmp_path / "nested.jsonl").write_text(f"{first}\n{nested}\n", encoding="utf-8")
    done = run_without_server(tmp_path, "audit", "verify", "nested.jsonl")
    assert done.returncode == 1
    assert re.match(r"Chain \S+, event 2: its text does not match its stored hash", done.stderr)
    assert done.stderr.endswith("1 chain, 2 events: 1 chain broken.\n")


def test_an_event_nested_too_deeply_exits_with_1_and_is_named_in_the_database(exported, tmp_path):
    data = shutil.copytree(exported[0], tmp_path / "data")
    digest = hashlib.sha256(NESTED.encode()).hexdigest()
    (database,) = data.glob("*.sqlite3")
    with closing(sqlite3.connect(database)) as connection, connection:
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(
            "UPDATE boards_auditevent SET canonical_text = ?, hash = ? WHERE sequence = 2",
            (NESTED, digest),
        )
    done = run(data, "audit", "verify")
    assert done.returncode == 1
    assert re.match(r"Chain \S+, event 2: its text is not JSON\.\n", done.stderr)
    assert done.stderr.endswith("1 chain, 2 events: 1 chain broken.\n")
    assert run(data, "audit", "export").returncode == 0


def test_a_partial_chain_names_its_first_event(exported, tmp_path):
    second = (exported[1] / "log.jsonl").read_text(encoding="utf-8").splitlines()[1]
    (tmp_path / "part.jsonl").write_text(f"{second}\n", encoding="utf-8")
    done = run_without_server(tmp_path, "audit", "verify", "part.jsonl")
    assert done.returncode == 0
    assert "(the site) is verified from event 2 on" in done.stdout


def test_a_cut_tail_contradicts_stored_heads(exported, tmp_path):
    first = (exported[1] / "log.jsonl").read_text(encoding="utf-8").splitlines()[0]
    (tmp_path / "cut.jsonl").write_text(f"{first}\n", encoding="utf-8")
    heads = str(exported[1] / "heads.txt")
    done = run_without_server(tmp_path, "audit", "verify", "cut.jsonl", "--against", heads)
    assert done.returncode == 1
    assert "event 2: a stored head has this event, but the chain ends at event 1." in done.stderr


def test_the_database_is_compared_with_stored_heads(exported, tmp_path):
    data, home = exported
    done = run(data, "audit", "verify", "--against", str(home / "heads.txt"))
    assert (done.returncode, done.stderr) == (0, "")
    heads = (home / "heads.txt").read_text(encoding="utf-8").split()
    (tmp_path / "other.txt").write_text(f"{heads[0]} 2 {'f' * 64}", encoding="utf-8")
    done = run(data, "audit", "verify", "--against", str(tmp_path / "other.txt"))
    assert done.returncode == 1
    assert "1 stored head not confirmed" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["verify", "log.csv"], "Line 1: it is not JSON."),
        (["verify", "nothing.jsonl"], "nothing.jsonl"),
        (["verify", "."], "directory"),
        (["verify", "heads.json"], "is not an export"),
        (["verify", "log.jsonl", "--against", "log.csv"], "Line 1 of the heads"),
        (["verify", "log.jsonl", "--against", "nothing.txt"], "nothing.txt"),
        (["verify", "log.jsonl", "--data-dir", "x"], "cannot be combined with --data-dir"),
        (["verify", "--gaps"], "--gaps needs a FILE"),
    ],
)
def test_unverifiable_input_exits_with_2_and_a_message(exported, arguments, says):
    done = run_without_server(exported[1], "audit", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_an_export_of_an_unknown_model_is_refused(exported):
    for command in ("export", "head"):
        done = run(exported[0], "audit", command, "--model", "nobody")
        assert done.returncode == 2
        assert "No model was ever named “nobody”." in done.stderr


def test_the_token_of_the_service_local_is_the_whole_last_line(data):
    made = run(data, "token", "create", "--scopes", "read,write,promote")
    assert made.returncode == 0, made.stderr
    token = made.stdout.splitlines()[-1]
    assert re.fullmatch(r"obeya_\w{46}", token)
    listed = run(data, "token", "list").stdout
    assert listed.split()[:3] == [f"{token[:12]}…", "local", "promote,read,write"]
    assert run(data, "token", "revoke", token[:12]).returncode == 0
    assert run(data, "token", "list").stdout == "There are no valid tokens.\n"
    assert run(data, "token", "create", "--scopes", "read,all").returncode == 2
    assert run(data, "token", "create", "--user", "nobody").returncode == 3
    refused = run(data, "token", "create", "--scopes", "read,approve", "--service", "bot")
    assert (refused.returncode, "--allow-service-approval" in refused.stderr) == (2, True)
    approve = ("--scopes", "read,approve", "--service", "bot", "--allow-service-approval")
    assert "with scopes approve, read" in run(data, "token", "create", *approve).stdout
    short = run(data, "token", "revoke", "obeya_")
    assert short.returncode == 3
    assert "Enter the first 12 characters of a token" in short.stderr


def test_a_token_with_invalid_input_creates_no_registry(data):
    for option in (
        ("--days", "367"),
        ("--scopes", "all"),
        ("--model", "a/b"),
        ("--scopes", "read,approve"),
    ):
        command = ("token", "create", "--data-dir", str(data / "new"), *option)
        assert run(data, *command).returncode == 2
    assert not (data / "new").exists()


def test_a_token_can_be_created_before_the_first_start(first_start):
    data = first_start.data
    assert first_start.notice == f"Created a new registry. Data directory: {data}\n"
    second = run(data, "token", "create", "--scopes", "read,write")
    assert second.stderr == ""
    for token in (first_start.token, second.stdout.splitlines()[-1]):
        done = run(data, "register", "churn", "--url", first_start.home, "--token", token)
        assert done.returncode == 0, done.stderr
    # The service account with the admin permission is not the account of the link.
    hint = run(data, "doctor").stdout
    assert "1 administrator. No account has a password yet" in hint


def test_doctor_reports_problems(data):
    well = run(data, "doctor")
    assert well.returncode == 1  # no account has the admin permission yet
    assert "obeya user create NAME --group administrator" in well.stdout
    run(data, "user", "create", "root", "--group", "administrator")
    assert run(data, "doctor").returncode == 0
    data.chmod(0o755)
    ill = run(data, "doctor", "--json")
    assert ill.returncode == 1
    assert [row["ok"] for row in json.loads(ill.stdout) if "chmod 700" in row["finding"]] == [False]
    assert run(data, "doctor", "--data-dir", "none").returncode == 2
