"""Writes that register one or many versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.registry.catalog import metric_rows
from boards.registry.commit import ModelWrite, writing_new_or_present_model
from obeya import names
from obeya.errors import AlreadyExists, InvalidInput
from obeya.metrics import Metric, metric_document
from obeya.records import Action, VersionDraft
from obeya.stages import Stage
from obeya.transitions.versions import next_number
from obeya.values import as_metrics, as_tags, version_number

VERSIONS_AT_ONCE_MAX = 1_000


def create_model(
    *,
    name: str,
    description: str = "",
    tags: Mapping[str, str] | None = None,
    actor: Actor,
    at: datetime,
) -> models.RegisteredModel:
    """Register a model that has no version yet.

    Raises:
        NotAllowed: the actor does not have the register permission.
        InvalidInput: the name or a text is invalid.
        AlreadyExists: there is a model of that name.
    """
    actor.require(Permission.REGISTER, name)
    name, description, tags = names.model_name(name), names.description(description), as_tags(tags)
    with writing_new_or_present_model(name, actor=actor, at=at) as write:
        if not write.is_new:
            raise AlreadyExists(f"A model named “{name}” already exists.", field="name")
        describe_new(write, description, tags)
        return write.model


def describe_new(write: ModelWrite, description: str, tags: Mapping[str, str]) -> None:
    """Set description and tags, both checked, of the model that this write created."""
    if description:
        write.change(description=description)
        write.record(Action.MODEL_DESCRIBED, texts={"description": description})
    models.ModelTag.objects.bulk_create(
        models.ModelTag(model=write.model, key=key, value=value) for key, value in tags.items()
    )
    for key, value in tags.items():
        write.record(Action.MODEL_TAGGED, data={"key": key, "old": None, "new": value})


def register_version(*, draft: VersionDraft, actor: Actor, at: datetime) -> models.ModelVersion:
    """Register a version in Development, and its model if that is new.

    Raises:
        NotAllowed: the actor does not have the register permission.
        InvalidInput: a name, number, value or text is invalid.
        AlreadyExists: the number or the label is taken.
    """
    actor.require(Permission.REGISTER, draft.model)
    return _register([checked_draft(draft)], actor, at)[0]


def register_versions(
    *, drafts: Sequence[VersionDraft], actor: Actor, at: datetime
) -> list[models.ModelVersion]:
    """Register 1 to 1,000 versions, of one model or of several, all of them or none.

    Returns their rows in the order of `drafts`. An error of one draft says its position: the
    error's `field` begins with ``versions[17]``, counted from 0.

    Raises:
        NotAllowed: the actor does not have the register permission for one of the models.
        InvalidInput: the number of drafts, or a part of one of them, is invalid.
        AlreadyExists: a number or a label is taken.
    """
    if not 1 <= len(drafts) <= VERSIONS_AT_ONCE_MAX:
        raise InvalidInput(
            f"Register 1 to {VERSIONS_AT_ONCE_MAX:,} versions in one request.", field="versions"
        )
    checked = []
    for place, draft in enumerate(drafts):
        actor.require(Permission.REGISTER, draft.model)
        with _placed(place):
            checked.append(checked_draft(draft, place))
    return _register(checked, actor, at)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDraft:
    """A draft whose every part was checked.

    `place` is its position in a list of drafts, None if there is no list; `event_data` are
    additional members of its event.
    """

    model: str
    number: int | None
    texts: dict[str, str]
    description: str
    metrics: dict[str, Metric]
    tags: dict[str, str]
    place: int | None
    event_data: Mapping[str, Any] = field(default_factory=dict)


def checked_draft(
    draft: VersionDraft, place: int | None = None, event_data: Mapping[str, Any] | None = None
) -> CheckedDraft:
    """Check a draft and return it with every part as it is stored. Raises `InvalidInput`."""
    return CheckedDraft(
        model=names.model_name(draft.model),
        number=None if draft.version is None else version_number(draft.version),
        texts={
            "label": names.label(draft.label),
            "artifact_uri": names.artifact_path(draft.artifact_path),
            "artifact_digest": names.artifact_digest(draft.artifact_digest),
            "source_run": names.source_run(draft.source_run),
        },
        description=names.description(draft.description),
        metrics=as_metrics(draft.metrics),
        tags=as_tags(draft.tags),
        place=place,
        event_data=event_data or {},
    )


def _register(
    drafts: Sequence[CheckedDraft], actor: Actor, at: datetime
) -> list[models.ModelVersion]:
    by_model: dict[str, list[int]] = defaultdict(list)
    for index, draft in enumerate(drafts):
        by_model[draft.model].append(index)
    made: dict[int, models.ModelVersion] = {}
    with transaction.atomic():
        # In the order of their names, so that two writers of the same models cannot deadlock.
        for name in sorted(by_model):
            places = by_model[name]
            with writing_new_or_present_model(name, actor=actor, at=at) as write:
                rows = register_in(write, [drafts[place] for place in places])
            made.update(zip(places, rows, strict=True))
    return [made[index] for index in range(len(drafts))]


def register_in(write: ModelWrite, drafts: Sequence[CheckedDraft]) -> list[models.ModelVersion]:
    """Register versions of the locked model, with a fixed number of statements."""
    batch = _Batch(
        write=write,
        labels=_taken_labels(write.model, drafts),
        numbers=_taken_numbers(write.model, drafts),
    )
    for draft in drafts:
        with _placed(draft.place):
            batch.add(draft)
    return batch.save()


@dataclass(slots=True, kw_only=True)
class _Batch:
    """Versions of one model that are about to be created."""

    write: ModelWrite
    labels: set[str]
    numbers: set[int]
    rows: list[models.ModelVersion] = field(default_factory=list)
    drafts: list[CheckedDraft] = field(default_factory=list)

    def add(self, draft: CheckedDraft) -> None:
        """Give the draft its number, if the number and the label are free."""
        write = self.write
        last = self.rows[-1].number if self.rows else write.model.last_number
        number = next_number(
            last,
            draft.number,
            name=write.model.name,
            taken=self.numbers,
        )
        label = draft.texts["label"]
        if label in self.labels:
            raise AlreadyExists(
                f"{write.model.name} already has a version with the label “{label}”.", field="label"
            )
        if label:
            self.labels.add(label)
        self.numbers.add(number)
        self.drafts.append(draft)
        self.rows.append(
            models.ModelVersion(
                model=write.model,
                number=number,
                description=draft.description,
                owner=write.actor.user,
                created_at=write.at,
                updated_at=write.at,
                stage_entered_at=write.at,
                **draft.texts,
            )
        )

    def save(self) -> list[models.ModelVersion]:
        """Create the rows, and an event for each."""
        write, made = self.write, models.ModelVersion.objects.bulk_create(self.rows)
        pairs = list(zip(made, self.drafts, strict=True))
        models.Metric.objects.bulk_create(
            metric
            for row, draft in pairs
            for metric in metric_rows.rows(row, draft.metrics.values(), write.at)
        )
        models.VersionTag.objects.bulk_create(
            models.VersionTag(version=row, key=key, value=value)
            for row, draft in pairs
            for key, value in draft.tags.items()
        )
        write.change(last_number=made[-1].number)
        write.count(Stage.DEVELOPMENT, len(made))
        write.touch()
        for row, draft in pairs:
            write.record(
                Action.VERSION_REGISTERED,
                version=row,
                to_stage=Stage.DEVELOPMENT,
                data=_event_data(draft),
                texts={"description": draft.description},
            )
        return made


def _event_data(draft: CheckedDraft) -> dict[str, Any]:
    return {
        **draft.texts,
        "metrics": {name: metric_document(metric) for name, metric in draft.metrics.items()},
        "tags": draft.tags,
        **draft.event_data,
    }


def _taken_labels(model: models.RegisteredModel, drafts: Sequence[CheckedDraft]) -> set[str]:
    labels = {draft.texts["label"] for draft in drafts} - {""}
    if not labels:
        return set()
    present = models.ModelVersion.objects.filter(model=model, label__in=labels, deleted_at=None)
    return set(present.values_list("label", flat=True))


def _taken_numbers(model: models.RegisteredModel, drafts: Sequence[CheckedDraft]) -> set[int]:
    wanted = {draft.number for draft in drafts if draft.number is not None}
    if not wanted:
        return set()
    present = models.ModelVersion.objects.filter(model=model, number__in=wanted, deleted_at=None)
    return set(present.values_list("number", flat=True))


@contextmanager
def _placed(place: int | None) -> Iterator[None]:
    """Add the position of the draft to errors raised inside; None if there is only one draft."""
    try:
        yield
    except (InvalidInput, AlreadyExists) as error:
        if place is None:
            raise
        where = f"versions[{place}]"
        raise type(error)(
            f"{where}: {error}", field=f"{where}.{error.field}" if error.field else where
        ) from None
