"""Requirements relative to the champion, and requirements that are not about metrics."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya.errors import InvalidInput
from obeya.metrics import Metric, MetricDefinition, Scale, within_noise
from obeya.policy.artifact_rules import BY_NAME, ArtifactDigest, NoCode, NoPickle
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy, requirement_from_document
from obeya.policy.requirements import ChampionRequirement, Evidence, MetricRequirement, Outcome
from obeya.policy.results import Mode, PolicyResult
from obeya.policy.rules import RequiredDescription, RequiredTag, TimeInStage
from obeya.policy.waivers import Waiver
from obeya.stages import Stage

numbers = st.floats(allow_nan=False, allow_infinity=False)
modest = st.floats(-1e6, 1e6)
signs = st.sampled_from(list(Comparison))
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def evidence(value: float | None, number: int = 1, **stated: object) -> Evidence:
    metrics = {} if value is None else {"auc": Metric("auc", value, **stated)}  # type: ignore[arg-type]
    return Evidence(version=number, metrics=metrics)


def judged(asked: ChampionRequirement, own: Evidence, rival: Evidence | None) -> Outcome:
    outcome = asked.check(own, rival, {})
    assert asked.outcome(own, rival, {}) is outcome.outcome
    assert outcome.sentence.endswith(".")
    return outcome.outcome


@given(modest, modest, modest, signs)
def test_an_offset_moves_the_bound(
    own: float, rival: float, offset: float, sign: Comparison
) -> None:
    asked = ChampionRequirement("auc", sign, offset)
    absolute = MetricRequirement("auc", sign, rival + offset)
    assert judged(asked, evidence(own), evidence(rival, 2)) is absolute.outcome(
        evidence(own), None, {}
    )


@pytest.mark.parametrize(
    ("rival", "offset", "bound"), [(80.0, -1.0, 79.2), (-80.0, -1.0, -80.8), (0.0, -1.0, 0.0)]
)
def test_percent_is_of_the_champions_magnitude(rival: float, offset: float, bound: float) -> None:
    asked = ChampionRequirement("auc", Comparison.GTE, offset, in_percent=True)
    assert asked.check(evidence(0.0), evidence(rival, 2), {}).bound == pytest.approx(bound)


def test_without_a_champion_it_passes_and_says_so() -> None:
    asked = ChampionRequirement("auc", Comparison.GT, 5.0)
    outcome = asked.check(evidence(0.1), None, {})
    assert outcome.outcome is Outcome.PASSED
    assert "no champion" in outcome.sentence


@pytest.mark.parametrize(
    ("own", "rival", "outcome", "says"),
    [
        (evidence(None), evidence(0.5, 2), Outcome.MISSING, "not measured"),
        (evidence(None), None, Outcome.MISSING, "not measured"),
        (evidence(0.9), evidence(None, 2), Outcome.NOT_COMPARABLE, "v2 has no auc"),
        (
            evidence(0.9, dataset="a"),
            evidence(0.5, 2, dataset="b"),
            Outcome.NOT_COMPARABLE,
            "measured on a, but for the champion v2 on b",
        ),
        (evidence(0.9, dataset="a"), evidence(0.5, 2), Outcome.PASSED, "v2 has 0.5"),
        (evidence(1.0), evidence(1.7e308, 2), Outcome.NOT_COMPARABLE, "too large"),
    ],
)
def test_incomparable_values_do_not_pass(
    own: Evidence, rival: Evidence | None, outcome: Outcome, says: str
) -> None:
    asked = ChampionRequirement("auc", Comparison.GTE, 100.0, in_percent=True)
    if outcome is Outcome.PASSED:
        asked = ChampionRequirement("auc", Comparison.GTE)
    found = asked.check(own, rival, {})
    assert found.outcome is outcome
    assert says in found.sentence


@given(modest, modest, st.floats(0, 100), st.floats(0, 100))
def test_beyond_noise_is_more_than_better(
    a: float, b: float, error_a: float, error_b: float
) -> None:
    asked = ChampionRequirement("auc", Comparison.GT, beyond_noise=True)
    rival, own = Metric("auc", a, None, error_a), Metric("auc", b, None, error_b)
    passes = judged(
        asked,
        Evidence(version=1, metrics={"auc": own}),
        Evidence(version=2, metrics={"auc": rival}),
    )
    better = b > a and not within_noise(rival, own, Scale.NONE)
    assert passes is (Outcome.PASSED if better else Outcome.FAILED)


def test_unknown_noise_cannot_be_exceeded() -> None:
    asked = ChampionRequirement("auc", Comparison.GT, beyond_noise=True)
    assert judged(asked, evidence(0.9), evidence(0.5, 2)) is Outcome.NOT_COMPARABLE


def test_the_definition_determines_the_noise_of_a_proportion() -> None:
    asked = ChampionRequirement("auc", Comparison.GT, beyond_noise=True)
    own, rival = evidence(0.52, samples=100), evidence(0.5, 2, samples=100)
    fraction = {"auc": MetricDefinition("auc", scale=Scale.FRACTION)}
    assert asked.check(own, rival, fraction).outcome is Outcome.FAILED
    assert asked.check(own, rival, {}).outcome is Outcome.NOT_COMPARABLE


@pytest.mark.parametrize("sign", [Comparison.GTE, Comparison.LTE, Comparison.EQ])
def test_beyond_noise_needs_a_direction(sign: Comparison) -> None:
    with pytest.raises(InvalidInput, match="> or <"):
        ChampionRequirement("auc", sign, beyond_noise=True)


@pytest.mark.parametrize(
    ("uri", "outcome"),
    [
        ("s3://m/model.safetensors", Outcome.PASSED),
        ("s3://m/model.onnx?x=v1.2", Outcome.PASSED),
        ("s3://m/model.onnx?x=model.pkl", Outcome.FAILED),
        ("s3://b/model.pkl;v=1", Outcome.FAILED),
        ("s3://b/m.p%6bl", Outcome.FAILED),
        ("s3://b/m.p%256bl", Outcome.FAILED),
        ("file://model.pkl", Outcome.FAILED),
        ("https://h/#/model.pkl", Outcome.FAILED),
        ("hf://bert/pytorch_model.bin", Outcome.FAILED),
        ("/m/MODEL.PKL", Outcome.FAILED),
        ("/m/model.pkl.gz", Outcome.FAILED),
        ("C:\\m\\model.pt", Outcome.FAILED),
        ("http://[", Outcome.PASSED),
        ("", Outcome.MISSING),
    ],
)
def test_a_pickle_is_recognised_by_its_name(uri: str, outcome: Outcome) -> None:
    evidence = Evidence(version=1, artifact_path=uri)
    assert NoPickle(BY_NAME).check(evidence, None, {}).outcome is outcome


def test_code_is_recognised_by_its_name_if_the_policy_says_so():
    for suffix in (".keras", ".h5", ".gguf", ".py", ".pkl"):
        evidence = Evidence(version=1, artifact_path=f"s3://m/model{suffix}")
        assert NoCode(BY_NAME).check(evidence, None, {}).outcome is Outcome.FAILED
    evidence = Evidence(version=1, artifact_path="s3://m/model.safetensors")
    assert NoCode(BY_NAME).check(evidence, None, {}).outcome is Outcome.PASSED


@pytest.mark.parametrize("rule", [NoPickle(), NoCode()])
def test_files_that_are_not_stored_or_not_inspected_do_not_pass(rule: NoPickle | NoCode) -> None:
    elsewhere = Evidence(version=1, artifact_path="s3://m/model.safetensors")
    result = rule.check(elsewhere, None, {})
    assert result.outcome is Outcome.MISSING
    assert "does not store" in result.sentence
    stored = Evidence(version=1, artifact_size=9)
    result = rule.check(stored, None, {})
    assert result.outcome is Outcome.MISSING
    assert "have not been inspected" in result.sentence
    assert rule.check(replace(stored, artifact_inspected=True), None, {}).outcome is Outcome.PASSED


def test_code_fails_only_the_requirement_on_code() -> None:
    runs = Evidence(
        version=1, artifact_size=9, artifact_inspected=True, artifact_code=("a.py runs.",)
    )
    assert NoPickle().check(runs, None, {}).outcome is Outcome.PASSED
    assert NoCode().check(runs, None, {}).outcome is Outcome.FAILED
    assert NoCode().check(runs, None, {}).sentence == "a.py runs."
    pickled = replace(runs, artifact_warnings=("a contains a pickle.",), artifact_code=())
    for rule in (NoPickle(), NoCode()):
        assert rule.check(pickled, None, {}).sentence == "a contains a pickle."


def test_files_elsewhere_are_checked_by_name_or_not_at_all() -> None:
    with pytest.raises(InvalidInput, match="by_name"):
        NoPickle("by_size")
    with pytest.raises(InvalidInput, match="by_name"):
        requirement_from_document({"no_code": True, "unstored": ["by_name"]})


@pytest.mark.parametrize("in_percent", [False, True])
def test_a_version_exactly_at_a_bound_below_the_champion_passes(in_percent: bool) -> None:
    offset = -1.0 if in_percent else -0.1
    requirement = ChampionRequirement("auc", Comparison.GTE, offset, in_percent=in_percent)
    for thousandths in range(101, 1000):
        champion = Decimal(thousandths) / 1000
        bound = champion * 99 / 100 if in_percent else champion - Decimal("0.1")
        exact = Evidence(version=2, metrics={"auc": Metric("auc", float(bound))})
        below = Evidence(version=2, metrics={"auc": Metric("auc", float(bound) - 1e-9)})
        rival = Evidence(version=1, metrics={"auc": Metric("auc", float(champion))})
        assert requirement.outcome(exact, rival, {}) is Outcome.PASSED, champion
        assert requirement.outcome(below, rival, {}) is Outcome.FAILED, champion
        assert requirement.check(exact, rival, {}).bound == float(bound)


@pytest.mark.parametrize("switch", ["in_percent", "beyond_noise"])
def test_a_switch_is_a_boolean_and_not_text(switch: str) -> None:
    with pytest.raises(InvalidInput, match="true or false"):
        ChampionRequirement("auc", Comparison.GT, 1.0, **{switch: "false"})


def test_time_in_the_stage_is_never_rounded_up() -> None:
    asked = TimeInStage(24)
    almost = asked.check(
        Evidence(version=1, time_in_stage=timedelta(hours=23, minutes=59)), None, {}
    )
    assert almost.outcome is Outcome.FAILED
    assert "for 23.9 hours" in almost.sentence
    enough = Evidence(version=1, time_in_stage=timedelta(days=1))
    assert asked.outcome(enough, None, {}) is Outcome.PASSED
    assert asked.outcome(Evidence(version=1), None, {}) is Outcome.MISSING


@pytest.mark.parametrize("hours", [0, -1, 1e9, float("nan"), float("inf"), "x"])
def test_an_invalid_time_is_refused(hours: float) -> None:
    with pytest.raises(InvalidInput):
        TimeInStage(hours)


def test_a_tag_can_be_required_with_a_value() -> None:
    tagged = Evidence(version=1, tags={"risk": "high"})
    assert RequiredTag("risk").outcome(tagged, None, {}) is Outcome.PASSED
    assert RequiredTag("risk", "low").outcome(tagged, None, {}) is Outcome.FAILED
    assert RequiredTag("owner").outcome(tagged, None, {}) is Outcome.MISSING


def test_a_blank_description_and_a_uri_as_digest_do_not_pass() -> None:
    shown = Evidence(version=1, description=" \n", artifact_path="s3://m")
    assert RequiredDescription().outcome(shown, None, {}) is Outcome.MISSING
    assert ArtifactDigest().outcome(shown, None, {}) is Outcome.MISSING
    digest = replace(shown, artifact_digest="sha256:0")
    assert ArtifactDigest().outcome(digest, None, {}) is Outcome.PASSED


EVERY_KIND = (
    MetricRequirement("auc", Comparison.GTE, 0.5),
    ChampionRequirement("auc", Comparison.GT, -1.5, in_percent=True, beyond_noise=True),
    TimeInStage(12.5),
    RequiredTag("risk"),
    RequiredTag("team", "nlp"),
    RequiredDescription(),
    ArtifactDigest(),
    NoPickle(),
    NoPickle(BY_NAME),
    NoCode(),
    NoCode(BY_NAME),
)


def test_every_kind_is_parsed_back_from_its_document() -> None:
    for requirement in EVERY_KIND:
        assert requirement_from_document(requirement.to_document()) == requirement
    policy = PromotionPolicy(
        stage=Stage.STAGING,
        requirements=EVERY_KIND,
        min_test_coverage=80.0,
        required_approvals=2,
        auto_promote=True,
        mode=Mode.WARN,
    )
    assert PromotionPolicy.from_document(policy.to_document()) == policy
    policy_result = policy.check(Evidence(version=1))
    assert PolicyResult.from_document(policy_result.to_document()) == policy_result
    assert len({r.describe() for r in EVERY_KIND}) == len(EVERY_KIND)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"metric": "a"},
        {"tag": "a"},
        {"unstored": "by_name"},
        {"no_pickle": True, "no_code": True},
        {"description": True, "unstored": "by_name"},
        {"description": True, "artifact_digest": True},
        {"hours_in_stage": 24, "bogus": 7},
        {"tag": "x", "value": "y", "mode": "warn"},
        {"metric": "a", "comparison": ">", "threshold": 1, "champion": {}},
    ],
)
def test_a_document_of_an_unknown_kind_is_refused(row: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="no requirement with the key"):
        requirement_from_document(row)


@pytest.mark.parametrize("key", ["description", "artifact_digest", "no_pickle", "no_code"])
def test_a_requirement_without_a_bound_has_only_the_value_true(key: str) -> None:
    with pytest.raises(InvalidInput, match=f"The value of “{key}” must be true"):
        requirement_from_document({key: 1})


def test_an_unknown_member_of_a_champion_bound_is_named() -> None:
    row = {"metric": "a", "comparison": ">", "champion": {"offset": 1.0, "procent": True}}
    with pytest.raises(InvalidInput, match="procent"):
        requirement_from_document(row)


def test_an_older_policy_document_is_still_read() -> None:
    old = {
        "stage": "staging",
        "requirements": [{"metric": "a", "comparison": ">", "threshold": 1}],
        "min_test_coverage": None,
        "required_approvals": 1,
    }
    policy = PromotionPolicy.from_document(old)
    assert (policy.mode, policy.auto_promote, len(policy.requirements)) == (Mode.ENFORCE, False, 1)


@given(st.lists(st.tuples(signs, numbers), max_size=4, unique=True), numbers)
def test_the_short_and_the_full_check_agree(
    asked: list[tuple[Comparison, float]], value: float
) -> None:
    policy = PromotionPolicy()
    for number, (sign, bound) in enumerate(asked):
        metric = f"m{number}"
        policy = policy.require_metric(metric, sign, bound)
    shown = Evidence(version=1, metrics={f"m{n}": Metric(f"m{n}", value) for n in range(3)})
    assert policy.passes(shown, None, {}) is policy.check(shown).passed


def test_a_metric_read_from_storage_is_the_metric_that_was_stored() -> None:
    made = Metric("auc", 0.5, 100, 0.1, "test")
    assert Metric.stored("auc", 0.5, 100, 0.1, "test") == made
    assert hash(Metric.stored("auc", 0.5, 100, 0.1, "test")) == hash(made)


def test_a_waiver_counts_until_it_expires() -> None:
    policy = PromotionPolicy(Stage.STAGING).require_metric("auc", Comparison.GTE, 0.9)
    waiver = Waiver(
        id="w",
        model="m",
        version=1,
        stage=Stage.STAGING,
        requirements=("auc ≥ 0.9",),
        reason="why",
        granted_by="ada",
        granted_at=NOON,
        expires_at=NOON + timedelta(days=1),
    )
    for at, passes in ((NOON, True), (NOON + timedelta(days=1), False)):
        assert policy.check(evidence(0.5), waivers=[waiver], at=at).passed is passes
    revoked = replace(waiver, revoked_at=NOON)
    assert not policy.check(evidence(0.5), waivers=[revoked], at=NOON).passed
    (outcome,) = policy.check(evidence(0.95), waivers=[waiver], at=NOON).outcomes
    assert (outcome.outcome, outcome.waiver) == (Outcome.PASSED, "")
