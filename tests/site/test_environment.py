"""Settings from environment variables: parsing, defaults and refusals."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ImproperlyConfigured

from registry_site import environment as env

NAME = "OBEYA_TESTED"


@pytest.mark.parametrize("word", ["1", "true", "YES", " on "])
def test_a_flag_is_true(monkeypatch, word):
    monkeypatch.setenv(NAME, word)
    assert env.flag(NAME)


@pytest.mark.parametrize("word", ["0", "false", "No", "off"])
def test_a_flag_is_false(monkeypatch, word):
    monkeypatch.setenv(NAME, word)
    assert not env.flag(NAME, default=True)


def test_a_flag_that_is_empty_is_the_default(monkeypatch):
    monkeypatch.setenv(NAME, "")
    assert env.flag(NAME, default=True)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (env.flag, "ture"),
        (lambda name: env.port(name, 8000), "65536"),
        (lambda name: env.port(name, 8000), "-1"),
        (lambda name: env.port(name, 8000), "http"),
        (lambda name: env.count(name, 2), "0"),
        (env.identifier, "two words"),
        (env.identifier, "A"),
        (env.identifier, "x" * 17),
        (lambda name: env.one_of(name, ("strict", "open"), "strict"), "lax"),
        (lambda name: env.time_zone(name, "UTC"), "Mars/Phobos"),
        (lambda name: env.time_zone(name, "UTC"), "../etc/passwd"),
        (lambda name: env.directory(name, "data"), "/dev/null/data"),
        (env.server_address, "mlflow.example.org"),
        (env.server_address, "sqlite:///mlflow.db"),
        (env.server_address, "https://me:secret@mlflow.example.org"),
        (env.server_address, "http://["),
        (env.server_address, "http:///path"),
        (env.server_address, "https://mlflow.example.org?a=b"),
    ],
)
def test_invalid_values_are_refused_by_name(monkeypatch, read, value):
    monkeypatch.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        read(NAME)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("", ""),
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000"),
        ("https://mlflow.example.org/behind/", "https://mlflow.example.org/behind"),
        ("http://[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_the_address_of_a_server_has_no_slash_at_its_end(monkeypatch, value, address):
    monkeypatch.setenv(NAME, value)
    assert env.server_address(NAME) == address


def test_words_are_split_at_commas(monkeypatch):
    monkeypatch.setenv(NAME, " a, b,,c ")
    assert env.words(NAME) == ["a", "b", "c"]


def test_only_the_owner_can_read_a_new_data_directory(monkeypatch, tmp_path):
    monkeypatch.setenv(NAME, str(tmp_path / "deep" / "data"))
    assert stat.S_IMODE(env.directory(NAME, "data").stat().st_mode) == 0o700


def database(monkeypatch, url, tmp_path):
    monkeypatch.setenv(NAME, url)
    return env.database(NAME, data=tmp_path, sqlite_synchronous="FULL")


@pytest.mark.parametrize("url", ["", "sqlite:////srv/obeya/registry.sqlite3"])
def test_sqlite_waits_for_its_turn_to_write(monkeypatch, tmp_path, url):
    config = database(monkeypatch, url, tmp_path)
    assert config["NAME"] == (url.removeprefix("sqlite:///") or str(tmp_path / "obeya.sqlite3"))
    assert config["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in config["OPTIONS"]["init_command"]
    assert "synchronous=FULL" in config["OPTIONS"]["init_command"]


def test_postgresql_keeps_its_connections(monkeypatch, tmp_path):
    config = database(monkeypatch, "postgresql://me:p%40ss@db:5433/registry", tmp_path)
    assert (config["HOST"], config["PORT"], config["NAME"]) == ("db", 5433, "registry")
    assert config["PASSWORD"] == "p@ss"
    assert config["CONN_MAX_AGE"]
    assert config["CONN_HEALTH_CHECKS"]


@pytest.mark.parametrize(
    "url", ["mysql://db/registry", "registry.sqlite3", "postgresql://db:port/registry"]
)
def test_other_databases_are_refused(monkeypatch, tmp_path, url):
    with pytest.raises(ImproperlyConfigured, match=NAME):
        database(monkeypatch, url, tmp_path)


def test_the_secret_key_is_created_once_and_only_its_owner_can_read_it(monkeypatch, tmp_path):
    monkeypatch.delenv(NAME, raising=False)
    path = tmp_path / "secret-key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: env.secret_key(NAME, path=path), range(32)))
    assert len(keys) == 1
    assert len(keys.pop()) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_secret_key_of_the_environment_leaves_no_file(monkeypatch, tmp_path):
    monkeypatch.setenv(NAME, "from outside")
    assert env.secret_key(NAME, path=tmp_path / "secret-key") == "from outside"
    assert not list(tmp_path.iterdir())
