"""Which alias names are governed, for one model or the whole registry."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from obeya import names
from obeya.errors import InvalidInput, NotFound
from obeya.look_alikes.keys import look_alike_keys
from obeya.stages import OPEN, Stage, Workflow


class AliasMode(StrEnum):
    """What sets a governed alias; `free` means that the name is not governed."""

    FOLLOWS = "follows"
    GUARDED = "guarded"
    FREE = "free"


class AliasSource(StrEnum):
    """Where it is configured that an alias is governed."""

    MODEL = "model"
    REGISTRY = "registry"
    WORKFLOW = "workflow"


@dataclass(frozen=True, slots=True)
class GovernedAlias:
    """An alias name that is bound to a stage: it never points to a version outside it.

    In the mode `follows`, moves set it to the version that entered the stage last. In the mode
    `guarded`, users who can move versions into the stage set it to any version there. In the mode
    `free` the name is not governed, and `stage` is None. `source` is where it is configured.

    Raises:
        InvalidInput: the name, the stage or the mode is invalid; only Staging and Production can
            have governed aliases.
    """

    alias: str
    stage: Stage | None = Stage.PRODUCTION
    mode: AliasMode = AliasMode.FOLLOWS
    source: AliasSource | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "alias", names.alias(self.alias))
        try:
            object.__setattr__(self, "mode", AliasMode(self.mode))
        except ValueError:
            raise InvalidInput(
                f"“{str(self.mode)[:32]}” is not a mode; the modes are {', '.join(AliasMode)}.",
                field="mode",
            ) from None
        object.__setattr__(self, "stage", self._checked_stage())

    def _checked_stage(self) -> Stage | None:
        if self.mode is AliasMode.FREE:
            return None
        stage = Stage.parse(self.stage or "")
        if not stage.is_gated:
            raise InvalidInput(
                f"An alias cannot be bound to {stage.label}, only to Staging or Production.",
                field="stage",
            )
        return stage

    def describe(self) -> str:
        """Return what applies to the name: ``follows Production``."""
        match self.mode:
            case AliasMode.FOLLOWS:
                return f"follows {self.bound_stage.label}"
            case AliasMode.GUARDED:
                return f"guarded, bound to {self.bound_stage.label}"
        return "free"

    @property
    def bound_stage(self) -> Stage:
        """The stage of a name that is not free."""
        assert self.stage is not None  # noqa: S101 - for mypy: only free names have none
        return self.stage

    @property
    def key(self) -> str:
        """The first of its `alias_keys`: different for names that are configured together."""
        return alias_keys(self.alias)[0]

    def covers(self, alias: str) -> bool:
        """Return whether an alias has this name, or one that looks like it."""
        return look_alike(self.alias, alias)


CHAMPION = GovernedAlias("champion", source=AliasSource.WORKFLOW)
"""Governed by default in every workflow except `open`."""


def alias_keys(alias: str) -> tuple[str, ...]:
    """Return keys of which alias names that look alike share one: ``Champion``, ``champion``.

    Case, width, accents, characters that cannot be seen, and letters of other scripts that look
    Latin make no difference.
    """
    keys = look_alike_keys(_without_accents(alias, "NFD"))
    return tuple(dict.fromkeys(_without_accents(key, "NFKD") for key in keys))


def _without_accents(text: str, form: Literal["NFD", "NFKD"]) -> str:
    decomposed = unicodedata.normalize(form, text)
    return "".join(letter for letter in decomposed if unicodedata.category(letter) != "Mn")


def look_alike(alias: str, other: str) -> bool:
    """Return whether two alias names look alike or are equal."""
    return not set(alias_keys(alias)).isdisjoint(alias_keys(other))


def like(alias: str, configured: Iterable[GovernedAlias]) -> list[GovernedAlias]:
    """Return the configurations of names that look like this one, that of the name itself first."""
    found = [each for each in configured if each.covers(alias)]
    return sorted(found, key=lambda each: (each.alias != alias, each.alias))


class GovernedAliases:
    """The governed aliases of a model, or (without `model`) the defaults of the registry.

    The model's configuration has priority over that of the registry, and both over the workflow.
    """

    def __init__(
        self,
        workflow: Workflow,
        registry: Iterable[GovernedAlias] = (),
        model: Iterable[GovernedAlias] = (),
    ) -> None:
        found = {} if workflow.name == OPEN.name else {CHAMPION.key: CHAMPION}
        for source, configured in ((AliasSource.REGISTRY, registry), (AliasSource.MODEL, model)):
            found |= {each.key: replace(each, source=source) for each in configured}
        self._by_key = found
        # A letter of the name can look like two others.
        self._by_look = {key: each for each in found.values() for key in alias_keys(each.alias)}
        self._by_look |= found

    @property
    def configured(self) -> list[GovernedAlias]:
        """All names with their configuration, those in the mode `free` included, by name."""
        return sorted(self._by_key.values(), key=lambda each: each.alias)

    def of(self, alias: str) -> GovernedAlias | None:
        """Return what governs an alias, also under a name that looks like it; None if nothing."""
        keys = alias_keys(alias)
        found = next((self._by_look[key] for key in keys if key in self._by_look), None)
        return None if found is None or found.mode is AliasMode.FREE else found

    def bound_to(self, stages: Collection[Stage]) -> list[GovernedAlias]:
        """Return the governed aliases of some stages, by name."""
        return [each for each in self.configured if each.stage in stages]


def governed_alias_not_found(alias: str) -> NotFound:
    """Return the error for a name that is not configured there."""
    return NotFound(f"“{alias[:64]}” is not configured here.", what="governed_alias")
