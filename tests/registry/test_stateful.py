"""Random steps have the same results in the database registry and the in-memory registry."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from boards.access.actors import SYSTEM
from boards.models import AuditEvent, User
from boards.queries.verification.verification import verify_chains
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry
from obeya import (
    Comparison,
    InMemoryRegistry,
    Metric,
    ModelRegistry,
    PromotionPolicy,
    RegistryError,
    Stage,
    StageTransition,
)
from obeya.aliases.governed import AliasMode, GovernedAlias
from obeya.policy.results import Mode
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.limits import LimitMode, WipLimit
from obeya.transitions.requests import TransitionRequest
from tests.examples import examples
from tests.registry.conformance import Clock, snapshot_of

pytestmark = pytest.mark.both_engines

NAMES = ("a", "b")
CLOSED_LATER = {f"transition_request.{how}" for how in ("completed", "withdrawn", "expired")}
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Few of each, so that steps affect each other.
names = st.sampled_from(NAMES)
numbers = st.integers(1, 4)
versions = st.none() | numbers
stages = st.sampled_from(list(Stage))
values = st.sampled_from([0.2, 0.5, 0.9])
measured = st.one_of(
    values,
    st.builds(
        Metric, st.just("accuracy"), values, st.none() | st.just(100), st.none() | st.just(0.1)
    ),
)
policies = st.builds(
    PromotionPolicy,
    st.sampled_from([Stage.STAGING, Stage.PRODUCTION]),
    min_test_coverage=st.sampled_from([None, None, 80.0]),
    required_approvals=st.sampled_from([0, 0, 0, 1]),
    auto_promote=st.booleans(),
    mode=st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.WARN]),
)


class RegistriesAgree(RuleBasedStateMachine):
    """Each step runs on both registries; both return the same and then have the same content.

    The clock advances with every step. If it stood still, the database would choose another
    champion: see `test_the_champion_is_the_one_that_entered_last_even_if_the_clock_stood_still`.
    """

    @initialize()
    def start(self) -> None:
        """Create two empty registries with a common clock."""
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.clock = Clock()
        alice = create_user(username="alice", group="administrator", actor=SYSTEM, at=self.clock())
        self.clock.stopped = True
        self.real = DatabaseRegistry(actor=alice, clock=self.clock)
        self.model = InMemoryRegistry(actor="alice", clock=self.clock)
        bob = create_user(username="bob", group="administrator", actor=SYSTEM, at=self.clock())
        self.others = self.model.acting_as("bob"), DatabaseRegistry(actor=bob, clock=self.clock)

    def teardown(self) -> None:
        """Undo what the example did."""
        if hasattr(self, "transaction"):
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    def both(self, step: Callable[[ModelRegistry], Any], *, by_other: bool = False) -> None:
        """Run a step on both registries at the same time, and compare the results."""
        self.clock.stopped = False
        self.clock()
        self.clock.stopped = True
        pair = self.others if by_other else (self.model, self.real)
        expected, answer = (self.answer(registry, step) for registry in pair)
        assert answer == expected

    @staticmethod
    def answer(registry: ModelRegistry, step: Callable[[ModelRegistry], Any]) -> object:
        try:
            done = step(registry)
        except RegistryError as error:
            # Only the database stores checks.
            return type(error), str(error), without_ids({**vars(error), "check_id": None})
        return without_ids(done)

    # Changes

    @rule(
        name=names,
        version=st.sampled_from([None, None, None, 3]),
        accuracy=measured,
        label=st.sampled_from(["", "", "x"]),
    )
    def register(
        self, name: str, version: int | None, accuracy: float | Metric, label: str
    ) -> None:
        self.both(
            lambda r: r.register_model(
                name, version, {"accuracy": accuracy}, "file:m", label=label, tags={"t": "1"}
            )
        )

    @rule(
        name=names,
        number=numbers,
        stage=stages,
        archive=st.booleans(),
        revision=st.none() | st.integers(1, 4),
        seen=st.none() | stages,
        reason=st.sampled_from(["", "because"]),
    )
    def transition(
        self,
        name: str,
        number: int,
        stage: Stage,
        archive: bool,
        revision: int | None,
        seen: Stage | None,
        reason: str,
    ) -> None:
        self.both(
            lambda r: r.transition_stage(
                name,
                number,
                stage,
                reason=reason,
                archive_existing=archive,
                expected_stage=seen,
                expected_revision=revision,
            )
        )

    @rule(name=names, number=numbers, archive=st.booleans())
    def promote(self, name: str, number: int, archive: bool) -> None:
        """Promote to the next stage, so that Production fills up."""

        def step(registry: ModelRegistry) -> object:
            to_stage = registry.can_promote(name, number).to_stage
            return registry.transition_stage(name, number, to_stage, archive_existing=archive)

        self.both(step)

    @rule(name=names, number=numbers, accuracy=measured)
    def log(self, name: str, number: int, accuracy: float | Metric) -> None:
        self.both(lambda r: r.log_metrics(name, number, {"accuracy": accuracy}))

    @rule(policy=policies, bound=st.none() | values, name=st.none() | names)
    def policy(self, policy: PromotionPolicy, bound: float | None, name: str | None) -> None:
        if bound is not None:
            policy = policy.require_metric("accuracy", Comparison.GTE, bound)
        self.both(lambda r: r.set_policy(policy, name))

    @rule(stage=st.sampled_from([Stage.STAGING, Stage.PRODUCTION]), name=st.none() | names)
    def remove_policy(self, stage: Stage, name: str | None) -> None:
        self.both(lambda r: r.remove_policy(stage, name))

    @rule(name=names, version=versions, value=st.sampled_from(["x", "y"]))
    def tag(self, name: str, version: int | None, value: str) -> None:
        self.both(lambda r: r.set_tag(name, "k", value, version))

    @rule(name=names, version=versions)
    def untag(self, name: str, version: int | None) -> None:
        self.both(lambda r: r.delete_tag(name, "k", version))

    @rule(name=names, number=numbers, alias=st.sampled_from(["best", "next", "champion"]))
    def alias(self, name: str, number: int, alias: str) -> None:
        self.both(lambda r: r.set_alias(name, alias, number))

    @rule(name=names)
    def unalias(self, name: str) -> None:
        self.both(lambda r: r.delete_alias(name, "best"))

    @rule(name=names, version=versions, text=st.sampled_from(["", "one", "two"]))
    def describe(self, name: str, version: int | None, text: str) -> None:
        self.both(lambda r: r.set_description(name, text, version))

    @rule(name=names, number=numbers)
    def delete_version(self, name: str, number: int) -> None:
        self.both(lambda r: r.delete_version(name, number))

    @rule(name=names)
    def delete_model(self, name: str) -> None:
        self.both(lambda r: r.delete_model(name))

    @rule(name=names, new_name=names)
    def rename(self, name: str, new_name: str) -> None:
        self.both(lambda r: r.rename_model(name, new_name))

    # Policies, limits and guardrails

    @rule(name=names, number=numbers, stage=st.none() | stages, archive=st.booleans())
    def request(self, name: str, number: int, stage: Stage | None, archive: bool) -> None:
        self.both(
            lambda r: r.request_transition(
                name, number, stage, reason="please", archive_existing=archive
            )
        )

    @rule(name=names, number=numbers, other=st.sampled_from([True, True, False]))
    def approve(self, name: str, number: int, other: bool) -> None:
        self.both(lambda r: r.approve(name, number, comment="yes"), by_other=other)

    @rule(name=names, number=numbers)
    def reject(self, name: str, number: int) -> None:
        self.both(lambda r: r.reject(name, number, comment="no"), by_other=True)

    @rule(name=names, number=numbers, other=st.booleans())
    def withdraw(self, name: str, number: int, other: bool) -> None:
        self.both(lambda r: r.withdraw(name, number), by_other=other)

    @rule()
    def weeks_pass(self) -> None:
        self.clock.now += timedelta(days=15)

    @rule(name=names, number=numbers, bound=values)
    def waive(self, name: str, number: int, bound: float) -> None:
        until = self.clock.now + timedelta(days=9)
        line = f"accuracy ≥ {bound}"
        self.both(lambda r: r.waive(name, number, [line], reason="gap", expires_at=until))

    @rule(name=names, version=versions)
    def roll_back(self, name: str, version: int | None) -> None:
        self.both(lambda r: r.rollback(name, version, reason="bad"))

    @rule(name=names, automatic=st.booleans())
    def guardrail(self, name: str, automatic: bool) -> None:
        rail = Guardrail("errors", Comparison.LTE, 0.5, automatic)
        self.both(lambda r: r.set_guardrail(name, rail))

    @rule(name=names)
    def no_guardrail(self, name: str) -> None:
        self.both(lambda r: r.remove_guardrail(name, "errors"))

    @rule(name=names, version=versions, value=values)
    def report(self, name: str, version: int | None, value: float) -> None:
        self.both(lambda r: r.report_live_metric(name, "errors", value, version=version))

    @rule(
        name=st.none() | names,
        stage=stages,
        limit=st.integers(1, 2),
        mode=st.sampled_from(list(LimitMode)),
    )
    def limit(self, name: str | None, stage: Stage, limit: int, mode: LimitMode) -> None:
        self.both(lambda r: r.set_wip_limit(WipLimit(stage, limit, mode), name))

    @rule(
        name=st.none() | names,
        alias=st.sampled_from(["best", "champion"]),
        stage=st.sampled_from([Stage.STAGING, Stage.PRODUCTION]),
        mode=st.sampled_from(AliasMode),
    )
    def govern(self, name: str | None, alias: str, stage: Stage, mode: AliasMode) -> None:
        self.both(lambda r: r.set_governed_alias(GovernedAlias(alias, stage, mode), name))

    @rule(name=st.none() | names, stage=stages)
    def no_limit(self, name: str | None, stage: Stage) -> None:
        self.both(lambda r: r.remove_wip_limit(stage, name))

    # Reads

    @rule(name=names, number=numbers, stage=st.none() | stages)
    def judge(self, name: str, number: int, stage: Stage | None) -> None:
        self.both(lambda r: r.can_promote(name, number, stage))

    @rule(name=names, number=numbers, stage=st.none() | stages, policy=st.none() | policies)
    def check(
        self, name: str, number: int, stage: Stage | None, policy: PromotionPolicy | None
    ) -> None:
        self.both(lambda r: r.check_promotion_policy(name, number, policy, stage))

    @rule(name=names, a=numbers, b=numbers)
    def compare(self, name: str, a: int, b: int) -> None:
        self.both(lambda r: r.compare_versions(name, a, b))

    @rule(name=names, stage=stages)
    def look(self, name: str, stage: Stage) -> None:
        self.both(lambda r: (r.get_latest(name), r.get_latest_in_stage(name, stage)))

    # Invariants after every step

    @invariant()
    def the_contents_are_equal(self) -> None:
        """Everything readable is the same, except for generated ids."""
        if hasattr(self, "real"):
            assert self.comparable_snapshot(self.real) == self.comparable_snapshot(self.model)

    @invariant()
    def the_logs_are_equal(self) -> None:
        """The events are the same, except for the ids of operations, accounts and checks."""
        if not hasattr(self, "real"):
            return
        for name in NAMES:
            try:
                events = self.model.events(name)
            except RegistryError:
                continue
            rows = AuditEvent.objects.filter(model__name=name, model__deleted_at=None)
            recorded = [
                self.comparable_record(row.canonical_text) for row in rows.order_by("sequence")
            ]
            assert recorded == [self.comparable_record(event.canonical_text()) for event in events]

    @invariant()
    def the_chains_verify_and_the_tables_match(self) -> None:
        """The chains verify, and each table has what its events say."""
        if not hasattr(self, "real"):
            return
        report = verify_chains()
        assert (report.broken, report.rows) == ((), ())
        assert self.model.verify() == []

    @staticmethod
    def comparable_snapshot(registry: ModelRegistry) -> object:
        """Return the snapshot with operation ids numbered in order of appearance."""
        operations: dict[str, int] = {"": 0}

        def numbered(part: object) -> object:
            if isinstance(part, StageTransition):
                number = operations.setdefault(part.operation_id, len(operations))
                return replace(part, operation_id=str(number))
            if isinstance(part, TransitionRequest):
                return without_ids(part)
            if isinstance(part, dict):
                return {key: numbered(value) for key, value in part.items()}
            return [numbered(each) for each in part] if isinstance(part, list | tuple) else part

        return numbered(snapshot_of(registry, *NAMES))

    @staticmethod
    def comparable_record(canonical_text: str) -> dict[str, Any]:
        """Return the text of an event without what differs between two registries."""
        record = json.loads(canonical_text)
        for key in ("chain", "model", "actor", "recorded_at", "previous_hash"):
            del record[key]
        record["operation"] = record["operation"] is not None
        for key in ("check", "check_digest", "checked_policy", "approved_by"):
            record["data"].pop(key, None)
        if record["action"] in CLOSED_LATER:
            # The champion that the evidence was compared with can already be another.
            record["data"].pop("evidence_digest")
        for key in ("request", "waiver"):
            if key in record["data"]:
                record["data"][key] = "some"
        return record


def without_ids(value: object) -> object:
    """Return the value without the ids that a registry generates."""
    if isinstance(value, str):
        return ID.sub("some id", value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: without_ids(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return type(value).__name__, parts
    if isinstance(value, dict):
        return {key: without_ids(each) for key, each in value.items()}
    return [without_ids(each) for each in value] if isinstance(value, list | tuple) else value


@pytest.mark.django_db
def test_the_database_does_what_the_registry_in_memory_does() -> None:
    assert not User.objects.exists()
    run_state_machine_as_test(  # type: ignore[no-untyped-call]  # untyped in hypothesis
        RegistriesAgree,
        settings=settings(
            max_examples=examples(30),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
