"""Writes that register one or many versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.models.look_alike_key import with_keys
from boards.registry.catalog import metric_rows
from boards.registry.catalog.labels import tag_keys
from boards.registry.commit import ModelWrite, writing_new_or_present_model
from obeya import names
from obeya.errors import AlreadyExists, InvalidInput
from obeya.look_alikes.keys import stored_keys
from obeya.look_alikes.new_names import NameKind, NewNames, similar_to
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
    allow_similar: bool = False,
    actor: Actor,
    at: datetime,
) -> models.RegisteredModel:
    """Register a model that has no version yet.

    Raises:
        NotAllowed: the actor does not have the register permission.
        InvalidInput: the name or a text is invalid.
        AlreadyExists: there is a model of that name.
        SimilarName: there is a similar name, and `allow_similar` is false.
    """
    actor.require(Permission.REGISTER, name)
    name, description, tags = names.model_name(name), names.description(description), as_tags(tags)
    with writing_new_or_present_model(
        name, allow_similar=allow_similar, actor=actor, at=at
    ) as write:
        if not write.is_new:
            raise AlreadyExists(f"A model named “{name}” already exists.", field="name")
        describe_new(write, description, tags, allow_similar=allow_similar)
        return write.model


def describe_new(
    write: ModelWrite, description: str, tags: Mapping[str, str], *, allow_similar: bool = False
) -> None:
    """Set description and tags, both in stored form, of the model that this write created."""
    known = tag_keys(write.model)
    similar = {key: write.check_name(known, key, allow_similar=allow_similar) for key in tags}
    if description:
        write.change(description=description)
        write.record(Action.MODEL_DESCRIBED, texts={"description": description})
    models.ModelTag.objects.bulk_create(
        models.ModelTag(model=write.model, key=key, value=value) for key, value in tags.items()
    )
    for key, value in tags.items():
        data = {"key": key, "old": None, "new": value, **similar_to(similar[key])}
        write.record(Action.MODEL_TAGGED, data=data)


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
    allow_similar: bool
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
        allow_similar=draft.allow_similar,
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
        for name in _in_order_of_locks(by_model):
            places = by_model[name]
            with writing_new_or_present_model(
                name,
                allow_similar=any(drafts[place].allow_similar for place in places),
                actor=actor,
                at=at,
            ) as write:
                rows = register_in(write, [drafts[place] for place in places])
            made.update(zip(places, rows, strict=True))
    return [made[index] for index in range(len(drafts))]


def _in_order_of_locks(names_: Collection[str]) -> list[str]:
    """Return names of models in an order in which two writers of the same cannot deadlock.

    New models are last, because creating a model locks the site chain too.
    """
    if len(names_) == 1:
        return list(names_)
    rows = models.RegisteredModel.objects.filter(name__in=names_, deleted_at=None)
    present = set(rows.values_list("name", flat=True))
    return sorted(names_, key=lambda name: (name not in present, name))


def register_in(write: ModelWrite, drafts: Sequence[CheckedDraft]) -> list[models.ModelVersion]:
    """Register versions of the locked model, with a fixed number of statements."""
    taken = _similar_labels(write.model, drafts)
    batch = _Batch(
        write=write,
        labels=NewNames(NameKind.LABEL, taken),
        taken=taken,
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
    labels: NewNames
    taken: set[str]
    numbers: set[int]
    rows: list[models.ModelVersion] = field(default_factory=list)
    drafts: list[CheckedDraft] = field(default_factory=list)
    similar: list[dict[str, Any]] = field(default_factory=list)

    def _check_names(self, draft: CheckedDraft) -> dict[str, Any]:
        """Check the new names of a draft and return the similar ones, for its event."""

        def similar_in(known: NewNames, given: Iterable[str]) -> dict[str, list[str]]:
            checked = {
                name: self.write.check_name(known, name, allow_similar=draft.allow_similar)
                for name in given
            }
            return {name: others for name, others in checked.items() if others}

        model, label = self.write.model, draft.texts["label"]
        found = {
            "label": similar_in(self.labels, [label] if label else ()),
            "metrics": similar_in(metric_rows.metric_names(model), draft.metrics),
            "tags": similar_in(tag_keys(model), draft.tags),
        }
        return similar_to({what: similar for what, similar in found.items() if similar})

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
        if label in self.taken:
            raise AlreadyExists(
                f"{write.model.name} already has a version with the label “{label}”.", field="label"
            )
        self.similar.append(self._check_names(draft))
        if label:
            self.taken.add(label)
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
        for (row, draft), similar in zip(pairs, self.similar, strict=True):
            write.record(
                Action.VERSION_REGISTERED,
                version=row,
                to_stage=Stage.DEVELOPMENT,
                data=_event_data(draft) | similar,
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


def _similar_labels(model: models.RegisteredModel, drafts: Sequence[CheckedDraft]) -> set[str]:
    """Return the labels of the model that equal those of drafts or can be similar to them."""
    labels = {draft.texts["label"] for draft in drafts} - {""}
    if not labels:
        return set()
    keys = {key for label in labels for key in stored_keys(label)}
    rows = models.ModelVersion.objects.filter(model=model, deleted_at=None)
    return {label for (label,) in with_keys(rows, keys, "label")}


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
        error.args = (f"{where}: {error}",)
        error.field = f"{where}.{error.field}" if error.field else where
        raise
