"""Versions that fail a policy since their files were inspected again."""

from __future__ import annotations

from boards import models
from boards.models.audit import event_data
from boards.queries.facts.policies_in_force import in_scope
from boards.queries.policies.what_if import NamedVersion
from obeya.policy.artifact_rules import NoCode, NoPickle
from obeya.policy.policy import PromotionPolicy
from obeya.records import Action
from obeya.stages import Stage

EVENTS_READ = 500


def failing_since_inspection(
    policy: PromotionPolicy, stage: Stage, model: models.RegisteredModel | None
) -> tuple[NamedVersion, ...]:
    """Return the versions that fail because the last inspection found more, by name; one statement.

    Only the newest 500 events of inspections are read.
    """
    if not policy.has_any(NoPickle, NoCode):
        return ()
    events = models.AuditEvent.objects.filter(
        in_scope("version__model", stage, model),
        action=Action.ARTIFACT_INSPECTED.value,
        version__deleted_at=None,
        model__deleted_at=None,
    ).select_related("version", "model")
    found: dict[int, NamedVersion] = {}
    seen: set[int] = set()
    for event in events.order_by("-pk")[:EVENTS_READ]:
        version = event.version
        if version is None or event.model is None or version.pk in seen:
            continue
        seen.add(version.pk)
        before = (event_data(event.canonical_text) or {}).get("old", {})
        counts = (before.get("warnings", 0), before.get("code", 0))
        lists = (version.artifact_warnings, version.artifact_code)
        # Only the first of each concerns pickles.
        kinds = 2 if policy.has_any(NoCode) else 1
        if any(lists[:kinds]) and not any(counts[:kinds]):
            found[version.pk] = NamedVersion(event.model.name, version.number)
    return tuple(sorted(found.values(), key=lambda each: (each.model, each.number)))
