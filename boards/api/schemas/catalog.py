"""Models, versions, metrics and comparisons."""

from __future__ import annotations

from typing import Annotated, Literal

from ninja import Schema
from pydantic import Discriminator, Field, Tag

from boards.api.schemas.basics import (
    Body,
    Finite,
    GatedStage,
    Similar,
    StageName,
    Time,
    VersionNumber,
)
from boards.registry.catalog.catalog import HEADLINE_METRICS_MAX
from obeya import names


class MetricIn(Body):
    """A measurement. Leave out what is unknown."""

    value: Finite
    samples: int | None = None
    standard_error: Finite | None = None
    dataset: str = ""


NUMBER, OBJECT = "number", "object"


def _form(value: object) -> str | None:
    if isinstance(value, int | float):
        return NUMBER
    return OBJECT if isinstance(value, dict) else None


# With a discriminator an error is about the form that was sent, not about both.
Metrics = dict[
    str,
    Annotated[
        Annotated[Finite, Tag(NUMBER)] | Annotated[MetricIn, Tag(OBJECT)],
        Discriminator(
            _form,
            custom_error_type="metric",
            custom_error_message="must be a number or an object with `value`",
        ),
    ],
]


class MetricOut(Schema):
    """A measurement. Unknown members are left out."""

    value: float
    samples: int | None = None
    standard_error: float | None = None
    dataset: str | None = None


class VersionFields(Body):
    """A version to register. Without `version` it gets the next number."""

    version: VersionNumber | None = None
    metrics: Metrics = {}
    artifact_path: str = ""
    label: str = ""
    tags: dict[str, str] = {}
    description: str = ""
    source_run: str = ""
    artifact_digest: str = ""
    allow_similar: Similar = False


class NewVersion(VersionFields):
    """A version to register, with the name of its model."""

    model: Annotated[str, Field(min_length=1, max_length=names.MODEL_NAME_MAX)]


class NewVersions(Body):
    """Versions to register: all of them or none."""

    versions: Annotated[list[NewVersion], Field(min_length=1, max_length=1000)]


class Version(Schema):
    """A version of a registered model.

    `imported_unchecked`: an import placed it in its stage, and no policy was checked.
    """

    model: str
    version: int
    stage: StageName
    revision: int
    label: str
    created_at: Time
    updated_at: Time
    stage_entered_at: Time
    metrics: dict[str, float]
    measurements: dict[str, MetricOut]
    tags: dict[str, str]
    aliases: list[str]
    artifact_path: str
    artifact_digest: str
    artifact_size: int | None
    artifact_warnings: list[str]
    source_run: str
    description: str
    owner: str
    imported_unchecked: bool


class Model(Schema):
    """A registered model. `stages` is the number of its versions in each stage."""

    name: str
    description: str
    owner: str
    tags: dict[str, str]
    aliases: dict[str, int]
    stages: dict[str, int]
    champion: int | None
    latest: int | None
    workflow: str
    created_at: Time
    updated_at: Time


class ModelChange(Body):
    """Changes to a model. Members that are left out don't change."""

    name: str | None = None
    description: str | None = None
    workflow: str | None = None
    headline_metrics: Annotated[list[str], Field(max_length=HEADLINE_METRICS_MAX)] | None = None
    allow_similar: Similar = False


class VersionChange(Body):
    """Changes to a version."""

    description: str


class TagValue(Body):
    """The value of a tag."""

    value: str
    allow_similar: Similar = False


class AliasTarget(Body):
    """The version that an alias points to."""

    version: VersionNumber
    allow_similar: Similar = False


class GovernedAliasIn(Body):
    """How an alias is governed. A free alias has no stage."""

    mode: Literal["follows", "guarded", "free"] = "follows"
    stage: GatedStage | None = None


class GovernedAlias(Schema):
    """An alias that is bound to a stage, or set free.

    `source` is where it is configured; `model` is null unless that is a model.
    """

    alias: str
    model: str | None
    stage: GatedStage | None
    mode: Literal["follows", "guarded", "free"]
    source: Literal["model", "registry", "workflow"]


class NewMetrics(Body):
    """Metrics to add, each with its name."""

    metrics: Metrics
    allow_similar: Similar = False


class DefinitionIn(Body):
    """A metric definition to set."""

    direction: Literal["higher", "lower", "unknown"] = "unknown"
    unit: str = ""
    scale: Literal["", "fraction", "percent"] = ""
    title: str = ""
    description: str = ""


class Definition(Schema):
    """The definition of a metric."""

    name: str
    direction: Literal["higher", "lower", "unknown"]
    unit: str
    scale: Literal["", "fraction", "percent"]
    title: str
    description: str


class MetricDiff(Schema):
    """One metric, compared between version b and version a."""

    definition: Definition
    a: MetricOut | None
    b: MetricOut | None
    difference: float | None
    percent_change: float | None
    outcome: str


class VersionComparison(Schema):
    """The comparison of version b with version a."""

    version_a: str
    version_b: str
    metric_diffs: list[MetricDiff]
    b_is_better: bool


class Challenger(Schema):
    """A version and its comparison with the baseline."""

    version: Version
    comparison: VersionComparison


class Comparison(Schema):
    """The comparison of several versions with a baseline."""

    baseline: Version
    comparisons: list[Challenger]
