"""Changes of the evidence that reviews are bound to, from the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from boards import models
from boards.access.actors import display_name
from boards.models.audit import event_data
from boards.queries.audit.event_details import Detail, details_of
from obeya.records import Action
from obeya.stages import Stage

CHANGES_MAX = 20

_OF_VERSION = (
    Action.METRICS_LOGGED,
    Action.VERSION_DESCRIBED,
    Action.VERSION_TAGGED,
    Action.VERSION_UNTAGGED,
    Action.ARTIFACT_STORED,
    Action.ARTIFACT_INSPECTED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceChange:
    """One change: its actor and time, a sentence, and the values if they are short."""

    at: datetime
    who: str
    sentence: str
    details: tuple[Detail, ...] = ()


def evidence_changes(
    version: models.ModelVersion, stage: Stage, since: datetime
) -> tuple[EvidenceChange, ...]:
    """Return what was changed since a time, the oldest first; two statements.

    Of the version: metrics, description, tags and files. Of the champion: metrics, and which
    version it is. And the policy for `stage`. Changes at exactly that time are included.
    """
    champion = version.model.champion_id
    about = Q(version=version, action__in=_OF_VERSION)
    if champion and champion != version.pk:
        about |= Q(version=champion, action=Action.METRICS_LOGGED)
    production = Stage.PRODUCTION.value
    about |= Q(from_stage=production, action__in=_MOVED) | Q(to_stage=production, action__in=_MOVED)
    events = (
        models.AuditEvent.objects.filter(about, model=version.model_id, occurred_at__gte=since)
        .select_related("actor", "version")
        .order_by("sequence")[:CHANGES_MAX]
    )
    changes = [_change(event, version) for event in events]
    return tuple(
        sorted([*changes, *_policies(version, stage, since)], key=lambda change: change.at)
    )


_MOVED = (Action.STAGE_TRANSITIONED, Action.VERSION_ROLLED_BACK)


def _change(event: models.AuditEvent, version: models.ModelVersion) -> EvidenceChange:
    who = display_name(event.actor)
    number = event.version.number if event.version else None
    is_own = event.version_id == version.pk
    if event.action in _MOVED:
        went = "entered" if event.to_stage == Stage.PRODUCTION else "left"
        return EvidenceChange(
            at=event.occurred_at, who=who, sentence=f"v{number} {went} Production"
        )
    details = details_of(event_data(event.canonical_text), {})
    sentence = {
        Action.METRICS_LOGGED: "metrics were logged",
        Action.VERSION_DESCRIBED: "the description was changed",
        Action.VERSION_TAGGED: "a tag was set",
        Action.VERSION_UNTAGGED: "a tag was removed",
        Action.ARTIFACT_STORED: "files were stored",
        Action.ARTIFACT_INSPECTED: "the files were inspected again",
    }[Action(event.action)]
    return EvidenceChange(
        at=event.occurred_at,
        who=who,
        sentence=sentence if is_own else f"{sentence} of the champion, v{number}",
        details=details,
    )


def _policies(
    version: models.ModelVersion, stage: Stage, since: datetime
) -> Iterator[EvidenceChange]:
    revisions = models.PolicyRevision.objects.filter(
        Q(model=version.model_id) | Q(model=None), stage=stage.value, created_at__gte=since
    ).select_related("created_by")
    for revision in revisions.order_by("pk")[:CHANGES_MAX]:
        kind = "model" if revision.model_id else "default"
        yield EvidenceChange(
            at=revision.created_at,
            who=display_name(revision.created_by),
            sentence=f"the {kind} policy for {stage.label} was edited: revision {revision.number}",
        )
