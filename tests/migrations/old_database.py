"""A database as commit 457acaf left it, on both engines; `make_fixtures.py` wrote its content."""

from __future__ import annotations

import gzip
import hashlib
import re
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

FIXTURES = Path(__file__).parent / "before_squash"
STORED = b"weights"
_POSTGRESQL_SCHEMA = (
    # Positions have gaps where a migration removed a column; in a restored dump they have none.
    """SELECT table_name, rank() OVER (PARTITION BY table_name ORDER BY ordinal_position),
    column_name, udt_name, character_maximum_length, is_nullable, column_default, is_identity
    FROM information_schema.columns WHERE table_schema = 'public'""",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
    "SELECT tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
)
_CASTS = re.compile(r"::(text|character varying)(\[\])?|[()]")


class Place:
    """A data directory, and the variables with which commands find its database."""

    def __init__(self, data: Path, server: str | None) -> None:
        self.data = data
        data.mkdir(mode=0o700)
        self.variables: dict[str, str] = {}
        if server:
            name = f"old_{uuid.uuid4().hex}"
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            self.variables["DATABASE_URL"] = server.replace("/postgres?", f"/{name}?")

    def fill(self) -> None:
        """Restore the content of commit 457acaf, with the stored file."""
        kind = "postgresql.sql" if self.variables else "obeya.sqlite3"
        content = gzip.decompress((FIXTURES / f"{kind}.gz").read_bytes())
        if self.variables:
            with psycopg.connect(self.variables["DATABASE_URL"]) as connection:
                connection.execute(content)
        else:
            (self.data / "obeya.sqlite3").write_bytes(content)
        digest = hashlib.sha256(STORED).hexdigest()
        stored = self.data / "artifacts" / "blobs" / digest[:2] / digest[2:4] / digest
        stored.parent.mkdir(parents=True)
        stored.write_bytes(STORED)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement, sorted; none if it returns no rows."""
        if self.variables:
            with psycopg.connect(self.variables["DATABASE_URL"]) as connection:
                found = connection.execute(statement)
                return sorted(found.fetchall(), key=repr) if found.description else []
        with closing(sqlite3.connect(self.data / "obeya.sqlite3")) as database, database:
            return sorted(database.execute(statement).fetchall(), key=repr)

    def schema(self) -> list[tuple[Any, ...]]:
        """Return all tables, columns, indexes, constraints and triggers."""
        if self.variables:
            rows = [row for query in _POSTGRESQL_SCHEMA for row in self.execute(query)]
            # A condition that was restored from a dump has its casts in other places.
            return [tuple(_CASTS.sub("", str(cell)) for cell in row) for row in rows]
        found = self.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        # SQLite quotes the name of a table after renaming it.
        return [(kind, name, re.sub(r'[\s"]+', " ", sql)) for kind, name, sql in found]

    def migrations(self) -> list[tuple[Any, ...]]:
        """Return the applied migrations of the app."""
        return self.execute("SELECT name FROM django_migrations WHERE app = 'boards'")
