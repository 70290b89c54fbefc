"""Compare rows with the replayed log, and say what differs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from boards import models
from boards.queries.facts.files.file_findings import file_warnings, findings_digest
from boards.queries.verification.columns import Column, Names, Values
from boards.queries.verification.tables import (
    MODEL_TABLES,
    OWNER_TABLES,
    VERSIONS,
    ComparedTable,
)
from obeya.artifacts.inspection import INSPECTOR
from obeya.artifacts.manifest import FileEntry, artifact_digest
from obeya.audit.chain import timestamp
from obeya.audit.replay.state import UNSTATED, Key, Row, Table, Text

DIFFERENCES_MAX = 1_000
SHOWN_MAX = 64
CHUNK = 2_000
# What reading a value can raise that the registry did not write, for example invalid JSON.
UNREADABLE = (ArithmeticError, TypeError, ValueError)
Tables = Mapping[Table, dict[Key, Row]]


@dataclass(slots=True, kw_only=True)
class Comparison:
    """What was found: sentences about the first thousand differences, and their number.

    `partial` counts rows with a column that their events do not state, `erased` the erased texts.
    """

    names: Names
    sentences: list[str] = field(default_factory=list)
    differences: int = 0
    partial: int = 0
    erased: int = 0

    def report(self, place: str, sentence: str) -> None:
        """Add a difference."""
        self.differences += 1
        if len(self.sentences) < DIFFERENCES_MAX:
            self.sentences.append(f"{place}: {sentence}")

    def compare_models(self, states: Mapping[int | None, Tables]) -> None:
        """Compare the rows of models with the states of their chains, by the id of the model.

        The number of statements does not depend on the number of models.
        """
        names, ids = self.names, [model for model in states if model is not None]
        names.versions.clear()
        rows = models.RegisteredModel.objects.filter(pk__in=ids).values_list("pk", "name")
        names.models = dict(rows)
        rows_of_versions = models.ModelVersion.objects.filter(model__in=ids)
        for pk, model, number in rows_of_versions.values_list("pk", "model", "number").iterator(
            chunk_size=CHUNK
        ):
            names.versions[pk] = (model, number)
        # The files are left to the end: their comparison needs the expected versions.
        files = {
            (model, number): row
            for model, tables in states.items()
            if model is not None
            for (number,), row in tables.get(Table.VERSION, {}).items()
        }
        for table in (VERSIONS, *MODEL_TABLES, *OWNER_TABLES):
            self.compare(table, states)
        self._compare_files(ids, files)

    def compare(self, table: ComparedTable, states: Mapping[int | None, Tables]) -> None:
        """Compare a table with the states of chains, by the id of their model; None is the site."""
        rows = table.model._default_manager.all()
        if table.owner:
            ids = [model for model in states if model is not None]
            rows = rows.filter(**{f"{table.owner}__in": ids} if ids else {table.owner: None})
        expected = {model: tables.get(table.table, {}) for model, tables in states.items()}
        seen: defaultdict[tuple[int | None, Key], int] = defaultdict(int)
        reads = table.reads
        try:
            for values in rows.order_by("pk").values_list(*reads).iterator(chunk_size=CHUNK):
                row = dict(zip(reads, values, strict=True))
                model = row[table.owner] if table.owner else None
                key: Key = tuple(column.read(row, self.names) for column in table.key.values())
                if table.repeats:
                    seen[model, key] += 1
                    key = (*key, seen[model, key] - 1)
                said = expected[model].pop(key, None)
                if said is None:
                    place, title = self._title(table, model, key, row)
                    self.report(place, f"{title or 'it'} has no event.")
                else:
                    self._compare_row(table, model, key, said, row)
        except UNREADABLE:
            name = table.model._meta.db_table
            self.report("registry", f"the table {name} has a value that cannot be read.")
            return
        if not table.can_be_absent:
            for model, missing in expected.items():
                for key, said in missing.items():
                    place, title = self._title(table, model, key, said.values)
                    self.report(place, f"{title or 'it'} is missing (event {said.event}).")

    def _compare_row(
        self, table: ComparedTable, model: int | None, key: Key, said: Row, row: Values
    ) -> None:
        is_partial = False
        for name, column in table.columns.items():
            expected = said.values.get(name)
            if expected is UNSTATED:
                is_partial = True
                continue
            found = column.read(row, self.names)
            if not column.agrees(expected, found):
                place, title = self._title(table, model, key, row)
                event = said.event_of(name)
                self.report(place, _difference(title, name, column, expected, found, event))
            elif isinstance(expected, Text) and expected.is_erased and not found:
                self.erased += 1
        self.partial += is_partial

    def _compare_files(self, ids: list[int], expected: Mapping[tuple[int, int], Row]) -> None:
        """Compare the digest of the stored files of each version with that of its event.

        What the inspection found in their content must be what the event says too.
        """
        rows = models.ArtifactFile.objects.filter(version__model__in=ids).select_related("blob")
        files: defaultdict[tuple[int, int], dict[str, models.Blob]] = defaultdict(dict)
        for file in rows.order_by("path").iterator(chunk_size=CHUNK):
            files[self.names.versions[file.version_id]][file.path] = file.blob
        for (model, number), row in expected.items():
            found = files.pop((model, number), {})
            entries = [FileEntry(path, blob.sha256) for path, blob in found.items()]
            digest = artifact_digest(entries) if entries else None
            place = f"{self.names.models.get(model)} v{number}"
            if digest != row.values["files"]:
                event = row.event_of("files")
                self.report(place, f"its files do not have the digest of the log (event {event}).")
            elif found and not _has_findings(found, row.values["findings"]):
                event = row.event_of("findings")
                self.report(
                    place, f"the findings in its stored content are not those of event {event}."
                )
        for model, number in files:
            self.report(f"{self.names.models.get(model)} v{number}", "its files have no event.")

    def _title(
        self, table: ComparedTable, model: int | None, key: Key, values: Mapping[str, Any]
    ) -> tuple[str, str]:
        """Return where a row is (the model and version, or the registry), and what it is."""
        place = "registry" if model is None else self.names.models.get(model, f"model {model}")
        kind = table.table
        number = values.get("version")
        match kind, key:
            case Table.MODEL, _:
                return place, ""
            case Table.VERSION, (number,):
                return f"{place} v{number}", ""
            case ((Table.VERSION_TAG | Table.METRIC | Table.ANDON), (number, name, *_)):
                return f"{place} v{number}", f"{kind} {_shown(name)}"
            case Table.POLICY, (stage, number):
                return place, f"revision {number} of the policy for {stage}"
            case Table.VOTE, (request, index):
                return place, f"review {index + 1} of the request {request}"
            case Table.USER, (uid,):
                return place, f"account {_shown(self.names.usernames.get(uid, uid))}"
            case ((Table.TOKEN | Table.WEBHOOK), (uid,)):
                return place, f"{kind} {uid}"
            case Table.RUN_FILE, (digest,):
                # The log has the path as a text of the event.
                path = values.get("path")
                return place, f"{kind} {_shown(path) if path else f'with the path {digest}'}"
        if "version_id" in values:
            number = self.names.version(values["version_id"], model)
        where = f"{place} v{number}" if isinstance(number, int) else place
        return where, f"{kind} {_shown(key[0])}"


def _difference(title: str, name: str, column: Column, said: Any, found: Any, event: int) -> str:
    what = title if name == "value" else f"{title}: {name}" if title else name
    if column.is_derived:
        return f"{what} {found}."
    if column.is_digest or isinstance(said, Text):
        return f"{what} was changed: the log has another digest (event {event})."
    if isinstance(found, frozenset):
        names = _listed(said) if isinstance(said, list) else _shown(said)
        return f"{what} are {_listed(found)}, but the log says {names} (event {event})."
    return f"{what} is {_shown(found)}, but the log says {_shown(said)} (event {event})."


def _listed(names: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, names))) or "none"


def _has_findings(blobs: Mapping[str, models.Blob], said: Any) -> bool:
    """Return whether what was found in stored content is what the event says.

    It is compared only if the current inspection found both; otherwise it is inspected again.
    """
    if not isinstance(said, tuple) or said[1] != INSPECTOR:
        return True
    if any(blob.inspector != INSPECTOR or blob.damage for blob in blobs.values()):
        return True
    found = file_warnings(blobs)
    columns = {name: found[name] for name in ("artifact_warnings", "artifact_code")}
    return bool(findings_digest(models.ModelVersion(**columns)) == said[0])


def _shown(value: Any) -> str:
    """Return a value for a sentence, escaped if it cannot be printed, and cut."""
    if isinstance(value, datetime):
        value = timestamp(value)
    if value is None or value == "":
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    shown = str(value)
    return shown[:SHOWN_MAX] if shown.isprintable() else ascii(shown[:SHOWN_MAX])
