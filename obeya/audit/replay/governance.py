"""Effects of events on policies, checks, requests, waivers, guardrails, alerts and limits."""

from __future__ import annotations

from obeya.aliases.governed import look_alike
from obeya.audit.chain import SYSTEM_ACTOR
from obeya.audit.replay.state import UNSTATED, Event, State, Table
from obeya.records import Action
from obeya.transitions.requests import CLOSED_BY, Decision, RequestStatus

_STATUS_OF = {action.value: status.value for status, action in CLOSED_BY.items()}


def set_policy(state: State, event: Event) -> None:
    """Add a revision of a policy, which supersedes the one before."""
    _supersede(state, event)
    state.add(
        Table.POLICY,
        (event.to_stage, event.data["revision"]),
        event,
        document=event.data["policy"],
        created_at=event.at,
        created_by=event.actor,
        superseded_at=None,
    )


def remove_policy(state: State, event: Event) -> None:
    """Supersede the revision in force."""
    _supersede(state, event)


def _supersede(state: State, event: Event) -> None:
    for (stage, _), row in state.tables[Table.POLICY].items():
        if stage == event.to_stage and row.values["superseded_at"] is None:
            row.change(event.sequence, {"superseded_at": event.at})


def store_check(state: State, event: Event) -> None:
    """Add the stored check that the event refers to, if there is one."""
    if "check" not in event.data:
        return
    state.add(
        Table.CHECK,
        (event.data["check"],),
        event,
        version=event.version,
        digest=event.data["check_digest"],
        policy_revision=event.data.get("checked_policy", UNSTATED),
        made_at=event.at,
        made_by=event.actor,
    )


def open_request(state: State, event: Event) -> None:
    """Add an open request."""
    state.add(
        Table.REQUEST,
        (event.data["request"],),
        event,
        version=event.version,
        from_stage=event.from_stage,
        to_stage=event.to_stage,
        reason=event.text("reason"),
        archive_existing=event.data["archive_existing"],
        requested_by=event.actor,
        opened_at=event.at,
        expires_at=event.data.get("expires_at", UNSTATED),
        status=RequestStatus.OPEN.value,
        closed_at=None,
        closed_by=SYSTEM_ACTOR,
        evidence_digest="",
    )


def approve_request(state: State, event: Event) -> None:
    """Add an approval."""
    _add_vote(state, event, Decision.APPROVE)


def close_request(state: State, event: Event) -> None:
    """Close a request; a rejection is also a review of it."""
    if event.action == Action.REQUEST_REJECTED:
        _add_vote(state, event, Decision.REJECT)
    state.change(
        Table.REQUEST,
        (event.data["request"],),
        event,
        status=_STATUS_OF[event.action],
        closed_at=event.at,
        closed_by=event.actor,
        evidence_digest=event.data.get("evidence_digest", UNSTATED),
    )


def _add_vote(state: State, event: Event, decision: Decision) -> None:
    state.add_next(
        Table.VOTE,
        (event.data["request"],),
        event,
        voter=event.actor,
        decision=decision.value,
        comment=event.text("comment"),
        evidence_digest=event.data["evidence_digest"],
        voted_at=event.at,
    )


def grant_waiver(state: State, event: Event) -> None:
    """Add a waiver."""
    state.add(
        Table.WAIVER,
        (event.data["waiver"],),
        event,
        version=event.version,
        stage=event.to_stage,
        requirements=event.data["requirements"],
        reason=event.text("reason"),
        granted_by=event.actor,
        granted_at=event.at,
        expires_at=event.data["expires_at"],
        revoked_at=None,
        revoked_by=SYSTEM_ACTOR,
    )


def revoke_waiver(state: State, event: Event) -> None:
    """Revoke a waiver."""
    key = (event.data["waiver"],)
    state.change(Table.WAIVER, key, event, revoked_at=event.at, revoked_by=event.actor)


def set_guardrail(state: State, event: Event) -> None:
    """Set the guardrail of a metric."""
    state.add(
        Table.GUARDRAIL,
        (event.data["metric"],),
        event,
        comparison=event.data["comparison"],
        bound=event.data["bound"],
        auto_rollback=event.data["auto_rollback"],
    )


def remove_guardrail(state: State, event: Event) -> None:
    """Remove the guardrail of a metric."""
    state.remove(Table.GUARDRAIL, (event.data["metric"],))


def raise_andon(state: State, event: Event) -> None:
    """Add a raised alert."""
    guardrail = event.data["guardrail"]
    state.add_next(
        Table.ANDON,
        (event.version, guardrail["metric"]),
        event,
        comparison=guardrail["comparison"],
        bound=guardrail["bound"],
        raised_at=event.at,
        cleared_at=None,
    )


def clear_andon(state: State, event: Event) -> None:
    """Clear the last alert of a version's metric."""
    key = state.last(Table.ANDON, (event.version, event.data["metric"]))
    state.change(Table.ANDON, key, event, cleared_at=event.at)


def set_limit(state: State, event: Event) -> None:
    """Set the WIP limit of a stage."""
    data = event.data
    state.add(Table.WIP_LIMIT, (event.to_stage,), event, limit=data["limit"], mode=data["mode"])


def remove_limit(state: State, event: Event) -> None:
    """Remove the WIP limit of a stage."""
    state.remove(Table.WIP_LIMIT, (event.to_stage,))


def govern_alias(state: State, event: Event) -> None:
    """Configure a governed alias; it replaces the configuration of a name that looks alike."""
    alias = event.data["alias"]
    rows = state.tables[Table.GOVERNED_ALIAS]
    for key in [key for key in rows if look_alike(key[0], alias)]:
        del rows[key]
    stage = event.to_stage or ""
    state.add(Table.GOVERNED_ALIAS, (alias,), event, stage=stage, mode=event.data["mode"])


def ungovern_alias(state: State, event: Event) -> None:
    """Remove the configuration of a governed alias."""
    state.remove(Table.GOVERNED_ALIAS, (event.data["alias"],))
