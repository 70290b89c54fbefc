"""Judge a version by what is in the database."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from boards import models
from boards.queries.facts.evidence import facts_for
from boards.queries.facts.records import definitions
from obeya.policy.policy import PromotionPolicy
from obeya.policy.results import PolicyResult, no_policy
from obeya.stages import Stage
from obeya.transitions.judge import TransitionJudgement, judge_transition


def judge(version: models.ModelVersion, to_stage: Stage, *, at: datetime) -> TransitionJudgement:
    """Judge a move by every rule without making it."""
    return judge_transition(facts_for(version, to_stage, at=at)[0])


def policy_result_for(
    version: models.ModelVersion,
    policy: PromotionPolicy | None = None,
    to_stage: Stage | None = None,
    *,
    at: datetime,
) -> PolicyResult:
    """Check a version against `policy`, else that of `to_stage`, else that of its next stage."""
    stage = to_stage or Stage(version.stage).next
    if policy is None:
        return (
            no_policy(None) if stage is None else facts_for(version, stage, at=at)[0].check_policy()
        )
    facts, _ = facts_for(version, stage or Stage(version.stage), at=at)
    defined = definitions() if policy.uses_noise else {}
    return replace(facts, policy=policy, policy_revision=None, definitions=defined).check_policy()
