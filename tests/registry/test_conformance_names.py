"""New names: characters that are refused, and names that look like existing ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from obeya import Comparison, InvalidInput, ModelRegistry
from obeya.aliases.governed import GovernedAlias
from obeya.errors import SimilarName
from obeya.transitions.guardrails import Guardrail
from tests.offenders import every_case
from tests.registry.conformance import NAME, promote, unchanged

Call = Callable[..., Any]
INVISIBLE = "\u3164"
# Each creates a name like the one that exists: with the letter o, or a Cyrillic letter for it.
NEW_NAMES: dict[str, tuple[str, Callable[[ModelRegistry, str], Call]]] = {
    "model": ("model", lambda r, name: lambda **how: r.register_model(name, **how)),
    "renamed": ("model", lambda r, name: lambda **how: r.rename_model("other", name, **how)),
    "label": (
        "label",
        lambda r, name: lambda **how: r.register_model("model", label=name, **how),
    ),
    "metric": ("metric", lambda r, name: lambda **how: r.log_metrics("model", 1, {name: 1}, **how)),
    "tag": ("tag-o", lambda r, name: lambda **how: r.set_tag("model", name, "x", 1, **how)),
    "tag of a model": ("tag-o", lambda r, name: lambda **how: r.set_tag("model", name, "x", **how)),
    "alias": ("alias-o", lambda r, name: lambda **how: r.set_alias("model", name, 1, **how)),
}


pytestmark = pytest.mark.filterwarnings("ignore::obeya.look_alikes.new_names.SimilarNameWarning")


@pytest.fixture
def registry(any_registry: ModelRegistry) -> ModelRegistry:
    """A model with a name of each kind, and another model."""
    any_registry.register_model("model", label="label", metrics={"metric": 1}, tags={"tag-o": "x"})
    any_registry.set_tag("model", "tag-o", "x")
    any_registry.set_alias("model", "alias-o", 1)
    any_registry.register_model("other")
    return any_registry


def test_a_similar_name_is_refused_unless_allowed(registry: ModelRegistry) -> None:
    with every_case() as case:
        for what, (name, new) in NEW_NAMES.items():
            for similar in {name.upper(), name.replace("o", "\u043e").replace("a", "\u0430")} - {
                name
            }:
                with case(f"{what}: {similar}"):
                    with unchanged(registry, "model", "other"), pytest.raises(SimilarName) as error:
                        new(registry, similar)()
                    assert error.value.existing == name
                    assert error.value.field
        for what, (name, new) in NEW_NAMES.items():
            with case(f"{what}, allowed"):
                allowed = name.title() if what == "renamed" else name.upper()
                new(registry, allowed)(allow_similar=True)


def test_the_order_in_which_similar_names_are_created_does_not_matter(
    registry: ModelRegistry,
) -> None:
    """The letters of the table that look like two others; some look different normalized."""
    pairs = {
        "\u03bdoice": ("voice", "noice"),
        "\u03c5ser": ("user", "yser"),
        "\u03edath": ("oath", "6ath"),
        "\u01bdale": ("sale", "5ale"),
        "\u03f2hurn": ("churn",),
        "\u017fraud": ("fraud", "sraud"),
        "\u03b2eta": ("\u00dfeta", "beta"),
    }
    made = iter(range(1_000))

    def refuses(first: str, second: str) -> bool:
        mark = f"-{next(made)}"
        registry.register_model(first + mark)
        registry.register_model(f"x{mark}", label=first + mark)
        refused = 0
        for create in (
            lambda: registry.register_model(second + mark),
            lambda: registry.rename_model(f"x{mark}", second + mark),
            lambda: registry.register_model(f"x{mark}", label=second + mark),
        ):
            try:
                create()
            except SimilarName:
                refused += 1
        return refused == 3

    with every_case() as case:
        for odd, others in pairs.items():
            for other in others:
                with case(f"{odd} {other}"):
                    assert refuses(other, odd)
                    assert refuses(odd, other)


def test_a_character_that_cannot_be_seen_is_refused_even_if_similar_names_are_allowed(
    registry: ModelRegistry,
) -> None:
    with every_case() as case:
        for what, (name, new) in NEW_NAMES.items():
            with (
                case(what),
                unchanged(registry, "model", "other"),
                pytest.raises(InvalidInput, match=r"U\+3164 HANGUL FILLER"),
            ):
                new(registry, name + INVISIBLE)(allow_similar=True)


def test_other_names_cannot_contain_such_a_character_either(registry: ModelRegistry) -> None:
    promote(registry, 1, "model")
    with every_case() as case:
        for what, new in {
            "guardrail": lambda name: registry.set_guardrail(
                "model", Guardrail(name, Comparison.LTE, 1)
            ),
            "live metric": lambda name: registry.report_live_metric("model", name, 1),
            "governed alias": lambda name: registry.set_governed_alias(GovernedAlias(name)),
        }.items():
            with case(what), pytest.raises(InvalidInput, match=r"U\+3164 HANGUL FILLER"):
                new(f"name{INVISIBLE}")


def test_an_existing_name_is_used_as_it_is(registry: ModelRegistry) -> None:
    registry.register_model("MODEL", metrics={"metric": 1}, allow_similar=True)
    for name in ("model", "MODEL"):
        number = registry.register_model(name, metrics={"metric": 2}).version
        registry.log_metrics(name, number, {"metric": 3})
    registry.log_metrics("model", 1, {"Metric": 1}, allow_similar=True)
    registry.set_tag("model", "Tag-o", "x", 1, allow_similar=True)
    registry.set_alias("model", "Alias-o", 1, allow_similar=True)
    # They are in use in the model: the next version can have them too.
    made = registry.register_model(
        "model", metrics={"metric": 1, "Metric": 1}, tags={"tag-o": "x", "Tag-o": "x"}
    )
    registry.set_tag("model", "Tag-o", "x")
    registry.set_alias("model", "Alias-o", made.version)
    registry.rename_model("MODEL", "Model", allow_similar=True)


def test_a_model_can_be_renamed_to_another_spelling_of_its_name(registry: ModelRegistry) -> None:
    registry.rename_model("other", "Other")
    assert registry.get_version("Other", 1).model == "Other"


def test_names_of_one_version_are_compared_with_each_other(registry: ModelRegistry) -> None:
    with unchanged(registry, "new"), pytest.raises(SimilarName):
        registry.register_model("new", metrics={"loss": 1, "Loss": 1})
    with unchanged(registry, "new"), pytest.raises(SimilarName):
        registry.register_model("new", tags={"k": "", "K": ""})


@pytest.mark.parametrize("reason", [INVISIBLE, "<!-- why -->"])
def test_a_reason_in_which_nothing_can_be_seen_is_missing(
    registry: ModelRegistry, reason: str
) -> None:
    with pytest.raises(InvalidInput, match="reason is required"):
        registry.rollback(NAME, reason=reason)
