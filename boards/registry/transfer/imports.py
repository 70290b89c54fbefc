"""The write that imports models from another registry, with their past and their stages.

A version that is in Production in the other registry is moved to Production, whatever workflow and
policies say: it is there already. This takes a separate permission, every event has its origin, a
separate channel, and the time that the other registry states, and the version is marked as
imported, not checked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.registry.artifacts.artifacts import attach_files, named_content
from boards.registry.catalog.registration import checked_draft, describe_new, register_in
from boards.registry.commit import ModelWrite, writing_new_or_present_model
from boards.registry.transitions.aliases import point_alias, update_aliases
from boards.registry.transitions.moves import make_move
from obeya import names
from obeya.aliases.governed import alias_keys
from obeya.artifacts.manifest import checked_entries
from obeya.audit.chain import timestamp
from obeya.errors import AlreadyExists, InvalidInput, NotFound
from obeya.imports import (
    VERSIONS_AT_ONCE_MAX,
    ImportedModel,
    ImportedVersion,
    ImportReport,
    future_times,
)
from obeya.look_alikes.new_names import NameKind, NewNames
from obeya.records import Channel, VersionDraft
from obeya.stages import Stage
from obeya.values import as_tags


def import_model(*, imported: ImportedModel, actor: Actor, at: datetime) -> ImportReport:
    """Import a model and up to 500 of its versions, each with its number and its stage.

    Existing versions are not changed. An invalid version is refused separately, and the others are
    imported, all in one transaction.

    Raises:
        NotAllowed: the actor does not have the import permission for the model.
        InvalidInput: the model's name or texts, the number of versions or their order are invalid,
            or the model's time is in the future.
    """
    actor.require(Permission.IMPORT, imported.name)
    name, origin = names.model_name(imported.name), names.artifact_path(imported.origin)
    description, tags = names.description(imported.description), as_tags(imported.tags)
    numbers = [version.version for version in imported.versions]
    if len(numbers) > VERSIONS_AT_ONCE_MAX or numbers != sorted(set(numbers)):
        raise InvalidInput(
            f"Import at most {VERSIONS_AT_ONCE_MAX} versions in one request, sorted by number.",
            field="versions",
        )
    future = future_times({"created_at of the model": imported.created_at}, at)
    if future and not imported.clamp_future_times:
        raise InvalidInput(future[0].refusal, field="created_at")
    similar_names: list[str] = []
    importer = Actor(actor.user, Channel.IMPORT, grant=actor.grant, similar_names=similar_names)
    began = min(imported.created_at, at)
    with writing_new_or_present_model(name, actor=importer, at=began) as write:
        if write.is_new:
            describe_new(write, description, tags)
        run = _Import(write, origin, at, clamps=imported.clamp_future_times)
        run.bring(imported.versions)
    return ImportReport(
        model=name,
        is_new=write.is_new,
        imported=tuple(sorted(run.imported)),
        existing=tuple(run.existing),
        refused=run.refused,
        kept_aliases=tuple(run.kept_aliases),
        clamped_times=(
            *(time.replacement for time in future if write.is_new),
            *run.clamped_times,
        ),
        similar_names=tuple(similar_names),
    )


class _Import:
    """The import of versions into the locked model."""

    def __init__(self, write: ModelWrite, origin: str, at: datetime, *, clamps: bool) -> None:
        self._write = write
        self._origin = origin
        self._at = at
        self._clamps = clamps
        self.imported: dict[int, models.ModelVersion] = {}
        self.existing: list[int] = []
        self.refused: dict[int, str] = {}
        self.kept_aliases: list[str] = []
        self.clamped_times: list[str] = []
        self._aliases = NewNames(
            NameKind.ALIAS,
            models.Alias.objects.filter(model=write.model).values_list("name", flat=True),
        )
        self._similar: dict[str, list[str]] = {}
        self._entered: set[Stage] = set()

    def bring(self, versions: tuple[ImportedVersion, ...]) -> None:
        """Register and move the new versions, in the order in which it happened."""
        present = {
            row.number: row
            for row in models.ModelVersion.objects.filter(
                model=self._write.model, number__in=[version.version for version in versions]
            )
        }
        new: list[ImportedVersion] = []
        for version in versions:
            row = present.get(version.version)
            if row is None:
                new += self._without_future(version)
            else:
                self._compare(row, version)
        for moment, version, is_move in _as_it_happened(new):
            self._write.set_time(moment)
            if is_move:
                self._move(version)
            else:
                self._register(version)
        # A version that was refused brings no aliases.
        taken = [version for version in new if version.version in self.imported]
        self._update_aliases({alias for version in taken for alias in version.aliases})
        for version in new:
            self._point_aliases(version)

    def _without_future(self, version: ImportedVersion) -> tuple[ImportedVersion, ...]:
        """Return the version without times in the future; nothing if it is refused for them."""
        label = f"v{version.version}"
        stated = {
            f"created_at of {label}": version.created_at,
            f"updated_at of {label}": version.updated_at,
        }
        future = future_times(stated, self._at)
        if future and not self._clamps:
            self.refused[version.version] = " ".join(time.refusal for time in future)
            return ()
        self.clamped_times += [time.replacement for time in future]
        return (
            replace(
                version,
                created_at=min(version.created_at, self._at),
                updated_at=min(version.updated_at, self._at),
            ),
        )

    def _compare(self, row: models.ModelVersion, version: ImportedVersion) -> None:
        if row.deleted_at is not None:
            self.refused[version.version] = f"v{version.version} was deleted in this registry."
        elif (row.artifact_uri, row.source_run) != _identity(version):
            self.refused[version.version] = (
                f"v{version.version} exists in this registry with another artifact URI or source "
                "run."
            )
        else:
            self.existing.append(version.version)

    def _register(self, version: ImportedVersion) -> None:
        try:
            draft = checked_draft(
                VersionDraft(
                    model=self._write.model.name,
                    version=version.version,
                    metrics=version.metrics,
                    tags=version.tags,
                    artifact_path=version.artifact_path,
                    source_run=version.source_run,
                    description=version.description,
                ),
                event_data={"imported": self._imported(version)},
            )
            for alias in map(names.alias, version.aliases):
                self._similar[alias] = self._write.check_name(self._aliases, alias)
            files = (
                named_content(checked_entries(version.files), actor=self._write.actor)
                if (version.files)
                else None
            )
            (row,) = register_in(self._write, [draft])
        except (InvalidInput, AlreadyExists, NotFound) as error:
            self.refused[version.version] = str(error)
        else:
            row.model = self._write.model
            if files is not None:
                attach_files(self._write, row, files)
            self.imported[version.version] = row

    def _move(self, version: ImportedVersion) -> None:
        row = self.imported.get(version.version)
        if row is not None:
            make_move(
                self._write,
                row,
                version.stage,
                None,
                "",
                archive_existing=False,
                data={"imported": self._imported(version)},
                with_aliases=False,
            )
            self._entered.add(version.stage)

    def _point_aliases(self, version: ImportedVersion) -> None:
        """Import the aliases of a version unchanged, also those that are governed here."""
        row = self.imported.get(version.version)
        if row is None:
            return
        for alias in map(names.alias, version.aliases):
            present = models.Alias.objects.filter(model=self._write.model, name=alias)
            target = present.select_related("version").first()
            if target is None:
                point_alias(self._write, alias, row, None, similar=self._similar[alias])
            elif target.version_id != row.pk:
                self.kept_aliases.append(
                    f"The alias “{alias}” was not moved to v{version.version}: "
                    f"in this registry it points to v{target.version.number}."
                )

    def _update_aliases(self, imported: Collection[str]) -> None:
        """Update the governed aliases of the stages that versions entered.

        Those that only the other registry has are imported unchanged instead.
        """
        # The moves of this import must be in the log.
        self._write.flush()
        present = models.Alias.objects.filter(model=self._write.model)
        skipped = _keys(imported) - _keys(present.values_list("name", flat=True))
        update_aliases(self._write, dict.fromkeys(self._entered, ()), skipped=skipped)

    def _imported(self, version: ImportedVersion) -> dict[str, Any]:
        return {
            "from": self._origin,
            "created_at": timestamp(version.created_at),
            "updated_at": timestamp(version.updated_at),
        }


def _keys(aliases: Iterable[str]) -> set[str]:
    return {key for alias in aliases for key in alias_keys(alias)}


def _identity(version: ImportedVersion) -> tuple[str, str]:
    """Return what distinguishes a version from others with its number.

    If it cannot be stored, the result equals that of no stored version.
    """
    try:
        return names.artifact_path(version.artifact_path), names.source_run(version.source_run)
    except InvalidInput:
        return "\0", ""


def _as_it_happened(
    versions: list[ImportedVersion],
) -> Iterator[tuple[datetime, ImportedVersion, bool]]:
    """Yield registrations by number and moves by time, each with its time and whether it is a move.

    A registration is not before that of a lower number, and a move is not before its registration,
    whatever the other registry's clock did.
    """
    happened, latest = [], None
    for version in versions:
        latest = version.created_at if latest is None else max(version.created_at, latest)
        happened.append((latest, version, False))
        if version.stage is not Stage.DEVELOPMENT:
            happened.append((max(latest, version.updated_at), version, True))
    # The sort is stable: at the same time a version is registered before it moves.
    yield from sorted(happened, key=lambda step: step[0])
