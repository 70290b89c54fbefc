"""The governed aliases in force, and the aliases of versions with what governs them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from django.conf import settings
from django.db.models import OuterRef, Q, QuerySet, Subquery

from boards import models
from boards.queries.facts.evidence import workflow_of
from obeya.aliases.governed import AliasMode, AliasSource, GovernedAlias, GovernedAliases
from obeya.aliases.rules import AliasFacts
from obeya.stages import Stage, workflow_named

BATCH = 1_000


def governed_alias_record(row: models.GovernedAlias) -> GovernedAlias:
    """Return a stored configuration as a record of the core."""
    return GovernedAlias(row.alias, Stage(row.stage) if row.stage else None, AliasMode(row.mode))


def governed_aliases(model: models.RegisteredModel | None) -> GovernedAliases:
    """Return the governed aliases of a model, or (None) the defaults; one statement."""
    if model is not None:
        return governed_aliases_of([model])[model.pk]
    rows = models.GovernedAlias.objects.filter(model=None)
    return GovernedAliases(
        workflow_named(settings.OBEYA_WORKFLOW), map(governed_alias_record, rows)
    )


def configured_aliases(within: Q | None = None) -> list[tuple[str | None, GovernedAlias]]:
    """Return what is configured for all models, with None, then for single models, by name.

    `within` limits the models; None means all. One statement.
    """
    rows = models.GovernedAlias.objects.filter(model__deleted_at=None).select_related("model")
    # An empty condition matches everything, but “or” would ignore it.
    if within:
        rows = rows.filter(Q(model=None) | within)
    found = []
    for row in rows:
        source = AliasSource.MODEL if row.model else AliasSource.REGISTRY
        record = replace(governed_alias_record(row), source=source)
        found.append((row.model.name if row.model else None, record))
    return sorted(found, key=lambda each: (each[0] is not None, each[0] or "", each[1].alias))


def governed_aliases_of(
    rows: Iterable[models.RegisteredModel],
) -> Mapping[int, GovernedAliases]:
    """Return the governed aliases of models, by model id; one statement."""
    by_id = {row.pk: row for row in rows}
    configured: dict[int | None, list[GovernedAlias]] = defaultdict(list)
    for row in models.GovernedAlias.objects.filter(Q(model__in=by_id) | Q(model=None)):
        configured[row.model_id].append(governed_alias_record(row))
    return {
        pk: GovernedAliases(workflow_of(model), configured[None], configured[pk])
        for pk, model in by_id.items()
    }


def last_entered(model: models.RegisteredModel, stage: Stage) -> models.ModelVersion | None:
    """Return the version that entered a stage last, of those still there; one statement.

    Moves that this write has not committed to the log yet are not counted.
    """
    entry = (
        _entries(stage)
        .filter(model=model)
        .select_related("version")
        .defer("canonical_text", "version__description")
        .first()
    )
    return entry.version if entry else None


def _entries(stage: Stage) -> QuerySet[models.StageTransition]:
    """Return the moves into a stage of the versions still there, the latest first."""
    return models.StageTransition.objects.filter(
        to_stage=stage.value, version__stage=stage.value, version__deleted_at=None
    ).order_by("-sequence")


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasLine:
    """An alias of a version. `governed` is None if the name is not governed.

    `violation` says why the alias must not point to the version, and `remedy` how to correct it;
    both are empty if it can.
    """

    alias: str
    model: str
    version: int
    governed: GovernedAlias | None
    violation: str = ""
    remedy: str = ""

    @property
    def title(self) -> str:
        """What governs the alias, or what is wrong with it; empty if nothing governs it."""
        if self.violation:
            return f"{self.violation} {self.remedy}"
        if self.governed is None:
            return ""
        return f"Governed alias: {self.governed.describe()}."


def alias_lines(aliases: QuerySet[models.Alias]) -> dict[int, list[AliasLine]]:
    """Return aliases by the id of their version, each sorted by name.

    Two statements, and one more for each stage that governed aliases follow.
    """
    rows = list(
        aliases.select_related("version", "model").defer(
            "version__description", "model__description"
        )
    )
    rules = governed_aliases_of({row.model_id: row.model for row in rows}.values())
    governed = {row.pk: rules[row.model_id].of(row.name) for row in rows}
    followed = {
        each.bound_stage for each in governed.values() if each and each.mode is AliasMode.FOLLOWS
    }
    entered = {stage: _last_entered_of(rules.keys(), stage) for stage in followed}
    lines: dict[int, list[AliasLine]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.name):
        found = governed[row.pk]
        facts = found and AliasFacts(
            governed=found,
            alias=row.name,
            model=row.model.name,
            version=row.version.number,
            stage=Stage(row.version.stage),
            last_entered=entered.get(found.bound_stage, {}).get(row.model_id),
        )
        violation = facts.violation if facts else ""
        lines[row.version_id].append(
            AliasLine(
                alias=row.name,
                model=row.model.name,
                version=row.version.number,
                governed=found,
                violation=violation,
                remedy=facts.remedy if facts and violation else "",
            )
        )
    return lines


def aliases_of(model: models.RegisteredModel) -> tuple[AliasLine, ...]:
    """Return the aliases of a model by name; statements as in `alias_lines`."""
    found = alias_lines(models.Alias.objects.filter(model=model)).values()
    return tuple(sorted((line for lines in found for line in lines), key=lambda line: line.alias))


def alias_violations() -> Iterable[AliasLine]:
    """Yield every alias of the registry that breaks its rule, a batch of aliases at a time."""
    rows = models.Alias.objects.filter(model__deleted_at=None).order_by("model__name", "name")
    pks = rows.values_list("pk", flat=True).iterator()
    while batch := list(islice(pks, BATCH)):
        found = alias_lines(models.Alias.objects.filter(pk__in=batch)).values()
        broken = [line for lines in found for line in lines if line.violation]
        yield from sorted(broken, key=lambda line: (line.model, line.alias))


def _last_entered_of(model_ids: Collection[int], stage: Stage) -> dict[int, int | None]:
    last = _entries(stage).filter(model=OuterRef("pk")).values("version__number")[:1]
    rows = models.RegisteredModel.objects.filter(pk__in=model_ids).annotate(last=Subquery(last))
    return dict(rows.values_list("pk", "last"))
