"""The page of a version: its evidence, its policy result for the next stage, its moves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from django.utils import timezone

from boards import models
from boards.queries.checks.frozen_check import OutcomeRow, outcome_rows
from boards.queries.facts.files.artifact import Folder, artifact_of, tree_of
from boards.queries.facts.governed_aliases import AliasLine, alias_lines
from boards.queries.facts.history import transitions
from boards.queries.facts.judgement import judge
from boards.queries.facts.open_requests import OpenRequest, open_requests
from boards.queries.facts.records import (
    definitions,
    find_model,
    find_version,
    metric_records,
    version_records,
)
from boards.queries.metrics.champion_comparison import MeasuredMetric, measured
from boards.queries.reviews.waivers_page import WaiverLine, waivers_of_version
from boards.queries.search.board_filter import BoardFilter
from obeya.artifacts.records import Artifact
from obeya.policy.results import PolicyResult
from obeya.records import ModelVersion, StageTransition
from obeya.stages import Stage
from obeya.transitions.judge import TransitionJudgement

CHECKS_MAX = 10
FILES_SHOWN = 200
VALUE_IN_ADDRESS_MAX = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLine:
    """A stored policy check of the version; `waived`: it passed by a waiver."""

    uid: str
    to_stage: Stage | None
    passed: bool
    waived: bool
    allowed: bool | None
    made_at: datetime
    made_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TagChip:
    """A tag of the version, and the query string of the board that shows all with the same tag.

    If the value is too long for a URL, it is left out and `has_value` is false.
    """

    key: str
    value: str
    query: str
    has_value: bool

    @classmethod
    def of(cls, key: str, value: str) -> Self:
        """Return the chip of a tag."""
        has_value = len(value) <= VALUE_IN_ADDRESS_MAX
        same = BoardFilter(tags=((key, value if has_value else None),))
        return cls(key=key, value=value, query=same.query_string, has_value=has_value)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPage:
    """The page. `judgement` is None if there is no next stage.

    `files` are the first 200 files of the artifact, by path.
    """

    version: ModelVersion
    tags: tuple[TagChip, ...]
    aliases: tuple[AliasLine, ...]
    champion: int | None
    metrics: tuple[MeasuredMetric, ...]
    judgement: TransitionJudgement | None
    outcomes: tuple[OutcomeRow, ...]
    transitions: tuple[StageTransition, ...]
    checks: tuple[CheckLine, ...]
    requests: tuple[OpenRequest, ...]
    waivers: tuple[WaiverLine, ...]
    artifact: Artifact
    files: Folder

    @property
    def request(self) -> OpenRequest | None:
        """The open request for the next stage."""
        following = self.version.stage.next
        return next((r for r in self.requests if r.row.to_stage == following), None)

    @property
    def is_champion(self) -> bool:
        """Whether the version is its model's champion."""
        return self.champion == self.version.version


def version_page(name: str, number: int) -> VersionPage:
    """Return the page of a version; a fixed number of statements.

    Raises:
        NotFound: there is no such model or version.
    """
    model = find_model(name)
    row = find_version(model, number)
    record = version_records([row])[0]
    defined = definitions()
    at = timezone.now()
    standing = (
        metric_records([model.champion_id]).get(model.champion_id, {})
        if model.champion_id and model.champion_id != row.pk
        else {}
    )
    artifact = artifact_of(row)
    judgement = judge(row, record.stage.next, at=at) if record.stage.next else None
    policy_result = judgement.policy_result if judgement else None
    return VersionPage(
        version=record,
        tags=tuple(TagChip.of(key, value) for key, value in record.tags.items()),
        aliases=tuple(alias_lines(models.Alias.objects.filter(version=row)).get(row.pk, ())),
        champion=model.champion.number if model.champion else None,
        metrics=tuple(
            measured(name, record.measurements, standing, defined) for name in record.measurements
        ),
        judgement=judgement,
        outcomes=outcome_rows(policy_result, defined) if policy_result else (),
        transitions=tuple(reversed(transitions(model, row))),
        checks=_checks(row),
        requests=tuple(open_requests([row.pk], at).values()),
        waivers=waivers_of_version(row, at),
        artifact=artifact,
        files=tree_of(artifact.files[:FILES_SHOWN]),
    )


def _checks(row: models.ModelVersion) -> tuple[CheckLine, ...]:
    checks = row.checks.select_related("made_by").defer("evidence", "refusals")
    return tuple(
        CheckLine(
            uid=str(check.uid),
            to_stage=Stage(check.to_stage) if check.to_stage else None,
            passed=check.passed,
            waived=bool(PolicyResult.from_document(check.verdict).waived),
            allowed=check.allowed,
            made_at=check.made_at,
            made_by=check.made_by.username if check.made_by else "",
        )
        for check in checks.order_by("-made_at", "-pk")[:CHECKS_MAX]
    )
