"""Incremental verification of the log: progress is stored, and the next run continues there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection

from boards.access.actors import SYSTEM, Actor
from boards.models import AuditEvent, RegisteredModel, VerificationRun, VerifiedChain
from boards.queries.verification.verification import verify_chains
from boards.queries.verification.verification_state import (
    chain_heads,
    chain_state,
    verification_state,
)
from boards.registry import verification as bounds
from boards.registry.verification import (
    record_verification,
    verify_in_background,
    verify_new_events,
)
from obeya import Stage
from obeya.audit.chain import event_hash
from obeya.audit.heads import ChainHead
from obeya.errors import NotAllowed
from obeya.records import Channel
from tests.append_only import drop_triggers
from tests.unreadable_texts import UNREADABLE, with_member

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
def filled(registry, settings):
    """Register two models with four events and one with two; the registry's chain is empty."""
    # No alias follows the moves, so that each is one event.
    settings.OBEYA_WORKFLOW = "open"
    for name in ("a", "b"):
        registry.register_model(name)
        registry.transition_stage(name, 1, Stage.STAGING)
        registry.transition_stage(name, 1, Stage.PRODUCTION)
    registry.register_model("c")
    return registry


@pytest.fixture
def registry_without_triggers(filled):
    """Drop the log's triggers, as the owner of the database could."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    drop_triggers(connection)
    return filled


def verify_new(actor=SYSTEM, **limits):
    return verify_new_events(actor=actor, at=NOON, **limits)


def verify_all():
    return record_verification(report=verify_chains(), actor=SYSTEM, at=NOON)


def of(name):
    return RegisteredModel.objects.get(name=name)


def problems():
    return [problem.partition(", ")[2] for problem in verification_state().problems]


def test_nothing_is_verified_at_first(filled):
    state = verification_state()
    assert (state.last, state.events, state.verified, state.left) == (None, 10, 0, 10)
    assert chain_state(str(of("a").uid)).verified_at is None


@pytest.mark.parametrize("verify", [verify_new, verify_all])
def test_a_verification_is_stored_with_actor_and_time(filled, verify):
    run = verify()
    assert (run.chains, run.events, run.left, run.broken) == (3, 10, 0, [])
    state = verification_state()
    assert (state.verified, state.left, state.problem_count) == (10, 0, 0)
    assert (state.last.made_at, state.last.made_by) == (NOON, "system")
    assert state.last.is_full is (verify is verify_all)
    assert chain_state(str(of("a").uid)).verified == 4


def test_verification_continues_where_it_ended(filled, alice):
    verify_new()
    filled.set_description("a", "new")
    assert verification_state().left == 1
    run = verify_new(Actor(alice, Channel.PAGE))
    assert (run.chains, run.events, run.left) == (1, 1, 0)
    assert verification_state().last.made_by == "alice"
    assert verify_new().events == 0


def test_a_bounded_run_reports_what_is_left(filled):
    runs = [verify_new(events=3) for _ in range(5)]
    assert [run.events for run in runs] == [3, 3, 3, 1, 0]
    assert [run.left for run in runs] == [7, 4, 1, 0, 0]
    assert verification_state().problem_count == 0


def test_at_most_the_requested_number_of_chains_is_verified(filled):
    assert [verify_new(chains=1).left for _ in range(3)] == [6, 2, 0]


def test_only_an_administrator_verifies(filled, victor, anna, peter):
    for person in (victor, anna, peter):
        with pytest.raises(NotAllowed):
            verify_new(Actor(person, Channel.PAGE))
        with pytest.raises(NotAllowed):
            record_verification(report=verify_chains(), actor=Actor(person, Channel.PAGE), at=NOON)
    assert not VerificationRun.objects.exists()


def test_the_log_itself_is_not_changed(filled, new_events):
    new_events()
    verify_new()
    verify_all()
    assert new_events() == []


def test_the_last_runs_are_stored(filled, monkeypatch):
    monkeypatch.setattr(bounds, "RUNS_KEPT", 3)
    for _ in range(5):
        last = verify_new()
    assert VerificationRun.objects.count() == 3
    assert VerificationRun.objects.order_by("-pk").first() == last


# --- Tampering ------------------------------------------------------------------------------------


@pytest.mark.parametrize("verify", [verify_new, verify_all])
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"hash": "f" * 64}, "does not match its stored hash"),
        ({"channel": "api"}, "column channel"),
        ({"sequence": 9}, "missing"),
    ],
)
def test_a_broken_link_is_stored_and_found_again(registry_without_triggers, verify, changes, says):
    AuditEvent.objects.filter(model=of("a"), sequence=3).update(**changes)
    for _ in range(2):
        run = verify()
        assert run.broken_count == 1
        assert says in run.broken[0]
        state = verification_state()
        assert state.problem_count == 1
        assert str(of("a").uid) in state.problems[0]
        assert state.problems[0].startswith(f"Chain {of('a').uid} (a), event 3: ")
    assert chain_state(str(of("a").uid)).problem
    assert not chain_state(str(of("b").uid)).problem


@pytest.mark.parametrize("verify", [verify_new, verify_all])
@pytest.mark.parametrize("how", UNREADABLE)
def test_an_unreadable_event_is_stored_and_named(registry_without_triggers, verify, how):
    row = AuditEvent.objects.get(model=of("a"), sequence=3)
    text = UNREADABLE[how](row.canonical_text)
    AuditEvent.objects.filter(pk=row.pk).update(canonical_text=text, hash=event_hash(text))
    run = verify()
    assert run.broken_count == 1
    assert run.broken[0].startswith(f"Chain {of('a').uid} (a), event 3: ")
    assert verification_state().problems == (run.broken[0],)
    assert not chain_state(str(of("b").uid)).problem


@pytest.mark.parametrize("verify", [verify_new, verify_all])
def test_a_chain_name_that_cannot_be_stored_is_still_reported(registry_without_triggers, verify):
    row = AuditEvent.objects.get(model=of("a"), sequence=3)
    text = with_member(row.canonical_text, "chain", r'"\u0000"')
    AuditEvent.objects.filter(pk=row.pk).update(canonical_text=text, hash=event_hash(text))
    assert verify().broken_count == 1
    assert problems() == [r"event 3: it belongs to chain '\x00'."]


def test_a_broken_link_is_reported_until_it_is_repaired(registry_without_triggers):
    AuditEvent.objects.filter(model=of("a"), sequence=3).update(channel="api")
    assert verify_new().broken_count == 1
    # This run ends before the broken chain.
    registry_without_triggers.set_description("c", "new")
    VerifiedChain.objects.filter(chain=of("c").uid).update(length=0, hash="0" * 64)
    assert verify_new(events=0).broken_count == 0
    assert verification_state().problem_count == 1
    AuditEvent.objects.filter(model=of("a"), sequence=3).update(channel="python")
    verify_new()
    assert verification_state().problem_count == 0


def cut_tail(name, length):
    """Delete the last events and reset the head, so that the shorter chain is consistent."""
    AuditEvent.objects.filter(model__name=name, sequence__gt=length).delete()
    last = AuditEvent.objects.get(model__name=name, sequence=length)
    RegisteredModel.objects.filter(name=name).update(
        chain_length=length, chain_hash=last.hash, chain_occurred_at=last.occurred_at
    )


def test_a_cut_tail_contradicts_the_previous_verification(registry_without_triggers):
    verify_new()
    cut_tail("a", 3)
    for verify in (verify_new, verify_all, verify_new):
        assert verify().broken_count == 1
    assert problems()[0].startswith("event 4: ")


def test_a_rewritten_end_contradicts_the_previous_verification(registry_without_triggers):
    verify_new()
    cut_tail("a", 3)
    registry_without_triggers.transition_stage("b", 1, Stage.ARCHIVED)
    registry_without_triggers.set_description("a", "another end")
    for verify in (verify_new, verify_all):
        assert verify().broken_count == 1
    assert problems()[0].startswith("event 4: ")


def test_the_whole_log_is_compared_with_heads_stored_elsewhere(registry_without_triggers):
    kept = tuple(chain_heads())
    assert {(head.name, head.length) for head in kept if head.length} == {
        ("a", 4),
        ("b", 4),
        ("c", 2),
    }
    registry_without_triggers.transition_stage("b", 1, Stage.ARCHIVED)
    assert verify_chains(kept).kept == ()
    cut_tail("a", 2)
    report = verify_chains((*kept, ChainHead("none", 1, "e" * 64)))
    assert report.broken == ()
    assert [(link.chain, link.sequence) for link in report.kept] == sorted(
        [(str(of("a").uid), 4), ("none", 1)]
    )


def test_an_empty_log_verifies(db):
    assert verify_new().events == 0
    assert verification_state().left == 0


def test_the_worker_verifies_new_events_once_an_hour(registry_without_triggers, caplog):
    caplog.set_level("INFO")
    run = verify_in_background(at=NOON)
    assert (run.events, run.is_full, run.channel) == (10, False, SYSTEM.channel.value)
    assert caplog.messages == [
        "Verified 10 new events (chains only, since the last verification): no problem found."
    ]
    of_hour = NOON + bounds.WORKER_EVERY
    # Nothing is new.
    assert verify_in_background(at=of_hour) is None
    registry_without_triggers.transition_stage("a", 1, Stage.ARCHIVED)
    assert verify_in_background(at=NOON) is None
    AuditEvent.objects.filter(model=of("a"), sequence=4).update(hash="0" * 64)
    caplog.clear()
    assert verify_in_background(at=of_hour).broken_count == 1
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "(a), event 4: " in caplog.messages[0]
    assert verification_state().problem_count == 1


def test_the_worker_does_not_wait_if_events_are_left(filled, monkeypatch):
    monkeypatch.setattr(bounds, "EVENTS_MAX", 6)
    assert [verify_in_background(at=NOON).events for _ in range(2)] == [6, 4]
    assert verify_in_background(at=NOON) is None


def test_the_last_full_verification_is_kept(filled, monkeypatch):
    monkeypatch.setattr(bounds, "RUNS_KEPT", 2)
    verify_all()
    full = verify_all()
    for _ in range(3):
        verify_new()
    kept = VerificationRun.objects.order_by("pk")
    assert [run.is_full for run in kept] == [True, False, False]
    assert kept[0] == full
