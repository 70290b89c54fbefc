"""The parts common to every write: lock, change, append events, commit.

A write to a model locks the model's row; a write that belongs to no model locks the row of the site
chain. Events are appended to the chain whose head is on the locked row, in the transaction of the
change itself.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

from django.db import IntegrityError, transaction

from boards.access.actors import Actor
from boards.models import (
    AuditEvent,
    AuditText,
    ModelVersion,
    RegisteredModel,
    SiteChain,
    TransitionRequest,
)
from boards.models.look_alike_key import with_keys
from boards.registry.messages import send_of_events
from obeya import names
from obeya.audit import chain as audit
from obeya.errors import model_not_found, version_not_found
from obeya.look_alikes.keys import stored_keys
from obeya.look_alikes.new_names import NameKind, NewNames, similar_to
from obeya.records import Action, Channel
from obeya.stages import Stage
from obeya.transitions.requests import RequestStatus
from obeya.values import version_number

SITE_CHAIN_PK = 1
_ALLOWED_SIMILAR = frozenset({Channel.MLFLOW, Channel.IMPORT})

logger = logging.getLogger(__name__)


class ChainWrite:
    """A chain whose head row is locked, and the events to append to it on commit.

    `at` is the time of the write on the chain: the time given, but never before the last event of
    the chain.
    """

    def __init__(self, head: RegisteredModel | SiteChain, actor: Actor, at: datetime) -> None:
        self.head = head
        self.actor = actor
        self.at = max(at, head.chain_occurred_at) if head.chain_occurred_at else at
        self._pending: list[tuple[AuditEvent, audit.AuditEvent]] = []
        self._changes: dict[str, Any] = {}

    def set_time(self, moment: datetime) -> None:
        """Set the time of what follows in this write: `moment`, but not before the last event."""
        last = self.head.chain_occurred_at
        self.at = moment if last is None else max(moment, last)

    @contextmanager
    def acting_as(self, actor: Actor) -> Iterator[None]:
        """Let another actor be the one who acts in what follows in the same write."""
        own, self.actor = self.actor, actor
        try:
            yield
        finally:
            self.actor = own

    def record(
        self,
        action: Action,
        *,
        version: ModelVersion | None = None,
        from_stage: Stage | None = None,
        to_stage: Stage | None = None,
        operation: uuid.UUID | None = None,
        data: Mapping[str, Any] | None = None,
        texts: Mapping[str, str] | None = None,
    ) -> AuditEvent:
        """Append an event. Its hash is computed immediately; its row is written by `flush`."""
        head = self.head
        model = head if isinstance(head, RegisteredModel) else None
        texts = {role: text for role, text in (texts or {}).items() if text}
        event = audit.AuditEvent(
            chain=str(head.uid),
            sequence=head.chain_length + 1,
            occurred_at=self.at,
            recorded_at=datetime.now(UTC),
            actor=self.actor.uid,
            channel=self.actor.channel,
            action=action,
            previous_hash=head.chain_hash,
            model=str(head.uid) if model else None,
            version=version.number if version else None,
            from_stage=from_stage,
            to_stage=to_stage,
            operation=str(operation) if operation else None,
            data=data or {},
            texts=texts,
        )
        text = event.canonical_text()
        row = AuditEvent(
            model=model,
            version=version,
            sequence=event.sequence,
            occurred_at=event.occurred_at,
            recorded_at=event.recorded_at,
            actor=self.actor.user,
            channel=event.channel.value,
            action=event.action.value,
            from_stage=from_stage.value if from_stage else "",
            to_stage=to_stage.value if to_stage else "",
            operation=operation,
            canonical_text=text,
            previous_hash=event.previous_hash,
            hash=audit.event_hash(text),
        )
        self._pending.append((row, event))
        self.change(
            chain_length=event.sequence, chain_hash=row.hash, chain_occurred_at=event.occurred_at
        )
        return row

    def check_name(self, known: NewNames, name: str, *, allow_similar: bool = False) -> list[str]:
        """Check a new name and return the names that it is similar to.

        Similar names are always allowed to MLflow's clients and imports, which cannot pass it. The
        server log has a warning about each, and the actor's `similar_names` a sentence.

        Raises:
            InvalidInput: a character cannot be in a name.
            SimilarName: the name is similar to another one.
        """
        is_allowed = allow_similar or self.actor.channel in _ALLOWED_SIMILAR
        similar = known.check(name, allow_similar=is_allowed)
        if similar:
            sentence = known.warning(name, similar)
            if self.actor.similar_names is not None:
                self.actor.similar_names.append(sentence)
            logger.warning("%s", sentence)
        return similar

    def change(self, **values: Any) -> None:
        """Set columns of the head row; `flush` writes them together."""
        for column, value in values.items():
            setattr(self.head, column, value)
        self._changes.update(values)

    def flush(self) -> None:
        """Write the events, their texts and deliveries, and the changed columns of the head row."""
        if self._pending:
            rows = [row for row, _ in self._pending]
            AuditEvent.objects.bulk_create(rows)
            AuditText.objects.bulk_create(
                AuditText(event=row, role=role, text=text)
                for row, event in self._pending
                for role, text in event.texts.items()
            )
            model = self.head.name if isinstance(self.head, RegisteredModel) else None
            send_of_events(self._pending, model)
        if self._changes:
            type(self.head)._default_manager.filter(pk=self.head.pk).update(**self._changes)
        self._pending, self._changes = [], {}


class ModelWrite(ChainWrite):
    """A write that holds the lock of a model's row. `is_new`: this write created the model."""

    def __init__(
        self, model: RegisteredModel, actor: Actor, at: datetime, *, is_new: bool = False
    ) -> None:
        super().__init__(model, actor, at)
        self.model = model
        self.is_new = is_new
        self._open_requests: list[TransitionRequest] | None = None

    def version(self, number: int) -> ModelVersion:
        """Return the version's current row, under the lock.

        Raises:
            NotFound: the model has no such version, or it was deleted.
        """
        row = ModelVersion.objects.filter(
            model=self.model, number=version_number(number), deleted_at=None
        ).first()
        if row is None:
            raise version_not_found(self.model.name, number)
        row.model = self.model
        return row

    def open_requests(self) -> list[TransitionRequest]:
        """Return the requests that were open at the first call in this write, the oldest first."""
        if self._open_requests is None:
            rows = TransitionRequest.objects.filter(
                version__model=self.model, status=RequestStatus.OPEN.value
            )
            self._open_requests = list(rows.select_related("version").order_by("pk"))
            for row in self._open_requests:
                row.version.model = self.model
        return self._open_requests

    def update_version(self, version: ModelVersion, **values: Any) -> None:
        """Write columns of a version, with its new revision and time of update."""
        values = {"revision": version.revision + 1, "updated_at": self.at, **values}
        changed = ModelVersion.objects.filter(pk=version.pk, revision=version.revision).update(
            **values
        )
        if changed != 1:
            raise RuntimeError(f"{version.pk} was changed by a writer that did not hold the lock")
        for column, value in values.items():
            setattr(version, column, value)
        self.touch()

    def hold_site(self) -> None:
        """Lock the row of the site chain too, for what is counted over all models.

        Every write that locks both takes the model's first, so that no deadlock is possible.
        """
        lock_site()

    def check_model_name(self, name: str, *, allow_similar: bool) -> list[str]:
        """Check the new name of the model, and return the ids of the models with similar names.

        The caller holds the row of the site chain, so that no one else creates a similar name.

        Raises:
            InvalidInput: a character cannot be in a name.
            SimilarName: the name is similar to that of another model.
        """
        others = RegisteredModel.objects.filter(deleted_at=None).exclude(pk=self.model.pk)
        by_name = dict(with_keys(others, stored_keys(name), "name", "uid"))
        known = NewNames(NameKind.MODEL, by_name, is_visible=self.actor.reaches)
        similar = self.check_name(known, name, allow_similar=allow_similar)
        return [str(by_name[other]) for other in similar]

    def touch(self) -> None:
        """Set the time of the model's last update."""
        self.change(updated_at=self.at)

    def count(self, stage: Stage, by: int) -> None:
        """Update the model's count of versions in `stage`."""
        self.change(**{f"{stage.value}_count": self.model.count_in(stage) + by})


@contextmanager
def writing_model(name: str, *, actor: Actor, at: datetime) -> Iterator[ModelWrite]:
    """Lock a model's row for a write. An exception inside rolls everything back.

    Raises:
        NotFound: there is no model of that name.
    """
    with transaction.atomic():
        model = _locked(name)
        if model is None:
            raise model_not_found(name)
        write = ModelWrite(model, actor, at)
        yield write
        write.flush()


@contextmanager
def writing_new_or_present_model(
    name: str, *, allow_similar: bool = False, actor: Actor, at: datetime
) -> Iterator[ModelWrite]:
    """Lock a model's row for a write. Create the model if there is none of that name.

    Raises:
        InvalidInput: a character cannot be in a name.
        SimilarName: the new model's name is similar to that of another model.
    """
    with transaction.atomic():
        model = _locked(name)
        if model is None:
            lock_site()
            try:
                with transaction.atomic():
                    model = RegisteredModel.objects.create(
                        name=name, owner=actor.user, created_at=at, updated_at=at
                    )
                made = True
            except IntegrityError:
                # Another writer created it between the check and the insert.
                model, made = _locked(name), False
                if model is None:
                    raise
        else:
            made = False
        write = ModelWrite(model, actor, at, is_new=made)
        if made:
            similar = write.check_model_name(name, allow_similar=allow_similar)
            write.record(Action.MODEL_REGISTERED, texts={"name": name}, data=similar_to(similar))
        yield write
        write.flush()


def lock_site() -> SiteChain:
    """Lock the row of the site chain until the transaction ends, and return it."""
    chain, _ = SiteChain.objects.select_for_update().get_or_create(pk=SITE_CHAIN_PK)
    return chain


@contextmanager
def writing_site(*, actor: Actor, at: datetime) -> Iterator[ChainWrite]:
    """Lock the site chain for a write that belongs to no model."""
    with transaction.atomic():
        write = ChainWrite(lock_site(), actor, at)
        yield write
        write.flush()


def writing_owner(
    name: str | None, *, actor: Actor, at: datetime
) -> AbstractContextManager[ChainWrite]:
    """Lock a model's row, or (None) the site chain, for what a model or the registry can have."""
    if name is None:
        return writing_site(actor=actor, at=at)
    return writing_model(name, actor=actor, at=at)


def _locked(name: str) -> RegisteredModel | None:
    stored = names.stored_form(name)
    return RegisteredModel.objects.select_for_update().filter(name=stored, deleted_at=None).first()
