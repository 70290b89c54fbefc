"""The database registry does, step by step, what the registry in memory does."""

from __future__ import annotations

from collections.abc import Callable
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

from boards.models import ModelVersion, RegisteredModel, User
from boards.queries.verification import verify_chains
from boards.registry import SYSTEM, DatabaseRegistry, create_user
from obeya import (
    Comparison,
    InMemoryRegistry,
    ModelRegistry,
    PromotionPolicy,
    RegistryError,
    Stage,
)
from tests.registry.test_conformance import Clock

names = st.sampled_from(["a", "b"])
numbers = st.integers(1, 4)
stages = st.sampled_from(list(Stage))
values = st.sampled_from([0.2, 0.5, 0.9])


class RegistriesAgree(RuleBasedStateMachine):
    """Each step is done to both; both answer alike, and both then look alike."""

    @initialize()
    def start(self) -> None:
        """Two empty registries with clocks that tick alike."""
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        clock = Clock()
        alice = create_user(username="alice", group="administrator", actor=SYSTEM, at=clock())
        self.real = DatabaseRegistry(actor=alice, clock=Clock())
        self.model = InMemoryRegistry(actor="alice", clock=Clock())

    def teardown(self) -> None:
        """Undo what the example did."""
        if hasattr(self, "transaction"):
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    def both(self, step: Callable[[ModelRegistry], Any]) -> None:
        answers = []
        for registry in (self.model, self.real):
            try:
                answers.append(("done", step(registry)))
            except RegistryError as error:
                answers.append(("refused", type(error), str(error)))
        assert answers[0][0] == answers[1][0], answers
        if answers[0][0] == "refused":
            assert answers[0] == answers[1]

    @rule(name=names, accuracy=values, label=st.sampled_from(["", "", "x"]))
    def register(self, name: str, accuracy: float, label: str) -> None:
        self.both(lambda r: r.register_model(name, metrics={"accuracy": accuracy}, label=label))

    @rule(
        name=names,
        number=numbers,
        stage=stages,
        archive=st.booleans(),
        revision=st.none() | st.integers(1, 4),
    )
    def transition(
        self, name: str, number: int, stage: Stage, archive: bool, revision: int | None
    ) -> None:
        self.both(
            lambda r: r.transition_stage(
                name, number, stage, archive_existing=archive, expected_revision=revision
            )
        )

    @rule(name=names, number=numbers, accuracy=values)
    def log(self, name: str, number: int, accuracy: float) -> None:
        self.both(lambda r: r.log_metrics(name, number, {"accuracy": accuracy}))

    @rule(
        stage=st.sampled_from([Stage.STAGING, Stage.PRODUCTION]),
        bound=values,
        name=st.none() | names,
    )
    def policy(self, stage: Stage, bound: float, name: str | None) -> None:
        policy = PromotionPolicy(stage).require_metric("accuracy", Comparison.GTE, bound)
        self.both(lambda r: r.set_policy(policy, name))

    @rule(name=names, number=numbers, value=st.sampled_from(["x", "y"]))
    def tag(self, name: str, number: int, value: str) -> None:
        self.both(lambda r: r.set_tag(name, "k", value, number))

    @rule(name=names, number=numbers)
    def alias(self, name: str, number: int) -> None:
        self.both(lambda r: r.set_alias(name, "best", number))

    @rule(name=names, number=numbers)
    def delete_version(self, name: str, number: int) -> None:
        self.both(lambda r: r.delete_version(name, number))

    @rule(name=names)
    def delete_model(self, name: str) -> None:
        self.both(lambda r: r.delete_model(name))

    @rule(name=names, new_name=names)
    def rename(self, name: str, new_name: str) -> None:
        self.both(lambda r: r.rename_model(name, new_name))

    @rule(name=names, number=numbers, stage=stages)
    def judge(self, name: str, number: int, stage: Stage) -> None:
        self.both(lambda r: r.can_promote(name, number, stage))

    @invariant()
    def they_look_alike(self) -> None:
        """Versions and moves are the same but for times and operation ids."""
        if not hasattr(self, "real"):
            return
        for name in ("a", "b"):
            assert self.picture(self.model, name) == self.picture(self.real, name)

    @invariant()
    def the_log_holds_and_the_counts_are_right(self) -> None:
        """Chains verify, and each model's counts are those of its versions."""
        if not hasattr(self, "real"):
            return
        assert verify_chains().broken == ()
        for model in RegisteredModel.objects.all():
            for stage in Stage:
                rows = ModelVersion.objects.filter(model=model, stage=stage, deleted_at=None)
                assert model.count_in(stage) == rows.count()

    @staticmethod
    def picture(registry: ModelRegistry, name: str) -> object:
        try:
            versions = registry.list_versions(name)
        except RegistryError as error:
            return str(error)
        return (
            [
                (v.number, v.stage, v.revision, v.label, v.metrics, dict(v.tags), v.aliases)
                for v in versions
            ],
            [
                (m.version, m.from_stage, m.to_stage, m.actor, m.archived)
                for m in registry.get_transitions(name)
            ],
        )


@pytest.mark.django_db
def test_the_database_does_what_the_registry_in_memory_does() -> None:
    assert not User.objects.exists()
    run_state_machine_as_test(  # type: ignore[no-untyped-call]  # untyped in hypothesis
        RegistriesAgree,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
