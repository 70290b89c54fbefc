"""The demonstration data: facts whose errors a user would notice."""

from __future__ import annotations

import csv
import importlib.util
import math
import re
import sys
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import pytest

from obeya.metrics import Metric
from obeya.records import VersionDraft
from obeya.values import as_metrics
from registry_site.demo.timm import (
    METRIC_DEFINITIONS,
    DemoModel,
    read_models,
)

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "build_demo_data.py"


@pytest.fixture(scope="module")
def models() -> dict[str, DemoModel]:
    return {model.name: model for model in read_models()}


@pytest.fixture(scope="module")
def versions(models: dict[str, DemoModel]) -> list[VersionDraft]:
    return [version for model in models.values() for version in model.versions]


@pytest.fixture(scope="module")
def build_demo_data() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_demo_data", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look up their module in sys.modules
    spec.loader.exec_module(module)
    return module


def metrics(version: VersionDraft) -> Mapping[str, Metric]:
    return as_metrics(version.metrics)


def values(version: VersionDraft) -> dict[str, float]:
    return {name: metric.value for name, metric in metrics(version).items()}


def version_labelled(model: DemoModel, label: str) -> VersionDraft:
    return next(version for version in model.versions if version.label == label)


# --- Counts -----------------------------------------------------------------------------------


def test_there_are_900_models_with_1266_versions(
    models: dict[str, DemoModel], versions: list[VersionDraft]
) -> None:
    assert len(models) == len(read_models()) == 900
    assert len(versions) == 1_266
    assert sum(len(model.versions) >= 2 for model in models.values()) == 198
    assert len(models["resnet50"].versions) == 18


def test_models_are_sorted_by_name(models: dict[str, DemoModel]) -> None:
    assert list(models) == sorted(models)


@pytest.mark.parametrize(
    ("metric", "measured"),
    [
        ("imagenet_top1", 1_266),
        ("imagenet_top5", 1_266),
        ("imagenet_real_top1", 1_266),
        ("imagenetv2_top1", 1_266),
        ("imagenet_sketch_top1", 1_266),
        ("imagenet_a_top1", 1_265),
        ("imagenet_r_top1", 1_266),
        ("param_count_m", 1_266),
        ("image_size", 1_266),
        ("cpu_step_ms", 1_180),
        ("gpu_samples_per_s", 1_266),
        ("imagenet_top1_at_224", 170),
    ],
)
def test_how_many_versions_have_a_metric(
    versions: list[VersionDraft], metric: str, measured: int
) -> None:
    assert sum(metric in values(version) for version in versions) == measured


def test_290_versions_were_tested_at_a_smaller_size_too(versions: list[VersionDraft]) -> None:
    sizes = [
        (int(name.rpartition("_")[2]), values(version)["image_size"])
        for version in versions
        for name in values(version)
        if name.startswith("imagenet_top1_at_")
    ]
    assert len(sizes) == 290
    assert all(smaller < headline for smaller, headline in sizes)


# --- Numbers and order ------------------------------------------------------------------------


def test_versions_count_from_1_without_gaps(models: dict[str, DemoModel]) -> None:
    for model in models.values():
        numbers = [version.version for version in model.versions]
        assert numbers == list(range(1, len(numbers) + 1)), model.name


def test_a_higher_version_number_means_a_higher_top1(models: dict[str, DemoModel]) -> None:
    for model in models.values():
        top1 = [(values(version)["imagenet_top1"], version.label) for version in model.versions]
        assert top1 == sorted(top1), model.name


def test_labels_exist_and_are_unique_within_a_model(models: dict[str, DemoModel]) -> None:
    for model in models.values():
        labels = [version.label for version in model.versions]
        assert len(set(labels)) == len(labels), model.name
        assert all(re.fullmatch(r"[a-z0-9_]{1,64}", label) for label in labels), model.name


# --- Values -----------------------------------------------------------------------------------


def test_every_value_is_finite_and_possible(versions: list[VersionDraft]) -> None:
    scales = {definition.name: definition.scale for definition in METRIC_DEFINITIONS}
    for version in versions:
        for metric in metrics(version).values():
            assert math.isfinite(metric.value), (version.label, metric)
            assert metric.value > 0, (version.label, metric)
            if scales[metric.name] == "percent":
                assert metric.value < 100, (version.label, metric)


def test_top5_is_above_top1(versions: list[VersionDraft]) -> None:
    for version in versions:
        assert values(version)["imagenet_top5"] > values(version)["imagenet_top1"], version.label


def test_accuracies_are_whole_numbers_of_images(versions: list[VersionDraft]) -> None:
    # With a wrong test-set size, no number of correct answers gives the accuracy. The source rounds
    # to four decimals, then to three: the tolerance is a little more than half of the last digit.
    for version in versions:
        for metric in metrics(version).values():
            if metric.samples is not None:
                right = round(metric.value * metric.samples / 100)
                nearest = 100 * right / metric.samples
                assert abs(nearest - metric.value) <= 0.000_55, (version.label, metric)


def test_a_version_by_hand(models: dict[str, DemoModel]) -> None:
    best = models["resnet50"].versions[-1]
    assert (best.version, best.label) == (18, "a1_in1k")
    assert values(best) == {
        "imagenet_top1": 81.240,
        "imagenet_top5": 95.112,
        "imagenet_real_top1": 86.579,
        "imagenetv2_top1": 69.690,
        "imagenet_sketch_top1": 28.189,
        "imagenet_a_top1": 15.840,
        "imagenet_r_top1": 38.993,
        "param_count_m": 25.56,
        "image_size": 288,
        "cpu_step_ms": 49.302,
        "gpu_samples_per_s": 2631.02,
        "imagenet_top1_at_224": 80.382,
    }
    assert best.tags == {"family": "resnet", "pretrain": "in1k"}
    assert metrics(best)["imagenet_a_top1"] == Metric(
        "imagenet_a_top1", 15.840, 7_500, dataset="ImageNet-A"
    )
    assert metrics(best)["cpu_step_ms"] == Metric("cpu_step_ms", 49.302)


def test_a_thousands_comma_is_not_a_decimal_point(models: dict[str, DemoModel]) -> None:
    giant = version_labelled(models["eva_giant_patch14_560"], "m30m_ft_in22k_in1k")
    assert values(giant)["param_count_m"] == 1014.45
    over_1000 = [
        model.name
        for model in models.values()
        if any(values(version)["param_count_m"] > 1000 for version in model.versions)
    ]
    assert over_1000 == [
        "eva_giant_patch14_224",
        "eva_giant_patch14_336",
        "eva_giant_patch14_560",
        "regnety_2560",
    ]


def test_unmeasured_metrics_are_absent(models: dict[str, DemoModel]) -> None:
    assert "imagenet_a_top1" not in values(version_labelled(models["resnet50"], "tv_in1k"))
    assert "cpu_step_ms" not in values(models["bat_resnext26ts"].versions[0])


def test_the_larger_size_is_the_headline_even_where_it_is_worse(
    models: dict[str, DemoModel],
) -> None:
    odd = values(version_labelled(models["convnext_tiny"], "fb_in22k_ft_in1k"))
    assert (odd["image_size"], odd["imagenet_top1"]) == (288, 78.950)
    assert odd["imagenet_top1_at_224"] == 82.900


# --- Tags -------------------------------------------------------------------------------------


def test_every_version_has_a_family_its_siblings_share(models: dict[str, DemoModel]) -> None:
    of_model = {
        model.name: {version.tags["family"] for version in model.versions}
        for model in models.values()
    }
    assert all(len(families) == 1 for families in of_model.values())
    sizes = Counter(family for families in of_model.values() for family in families)
    assert len(sizes) == 91
    assert all(re.fullmatch(r"[a-z][a-z0-9-]+", family) for family in sizes)


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("resnet50", "resnet"),
        ("wide_resnet50_2", "resnet"),
        ("seresnet50", "resnet"),
        ("seresnext50_32x4d", "resnext"),
        ("resnetv2_50", "resnetv2"),
        ("resnetrs50", "resnetrs"),
        ("haloregnetz_b", "byoanet"),
        ("tf_efficientnetv2_s", "efficientnet"),
        ("efficientvit_b0", "efficientvit-mit"),
        ("efficientvit_m0", "efficientvit-msra"),
        ("inception_next_tiny", "inception-next"),
        ("inception_v3", "inception"),
        ("convnextv2_tiny", "convnext"),
        ("vit_base_patch16_224", "vit"),
        ("vgg16", "vgg"),
        ("test_vit", "test"),
    ],
)
def test_family(models: dict[str, DemoModel], model: str, family: str) -> None:
    assert models[model].versions[0].tags["family"] == family


@pytest.mark.parametrize(
    ("model", "label", "pretrain"),
    [
        ("resnet50", "a1_in1k", "in1k"),
        ("resnet50", "fb_swsl_ig1b_ft_in1k", "ig1b"),
        ("vit_base_patch16_clip_224", "laion2b_ft_in12k_in1k", "laion2b+in12k"),
        ("beit_base_patch16_224", "in22k_ft_in22k_in1k", "in22k"),
        ("hiera_tiny_224", "mae_in1k_ft_in1k", "in1k"),
        # The tag does not name the data of the first stage; the metadata file does.
        ("mixnet_s", "ft_in1k", "in1k"),
        # Neither names the data.
        ("regnety_1280", "swag_ft_in1k", None),
        ("hrnet_w18_ssld", "paddle_in1k", None),
    ],
)
def test_pretrain(
    models: dict[str, DemoModel], model: str, label: str, pretrain: str | None
) -> None:
    assert version_labelled(models[model], label).tags.get("pretrain") == pretrain


def test_distilled_is_set_where_the_name_says_so(models: dict[str, DemoModel]) -> None:
    distilled = {
        f"{model.name}.{version.label}"
        for model in models.values()
        for version in model.versions
        if version.tags.get("distilled") == "yes"
    }
    assert len(distilled) == 97
    assert all("dist" in name for name in distilled)
    assert "cait_m36_384.fb_dist_in1k" in distilled
    assert "deit_base_distilled_patch16_224.fb_in1k" in distilled
    assert "deit_base_patch16_224.fb_in1k" not in distilled


# --- Definitions and the file -------------------------------------------------------------------


def test_every_metric_is_defined_once_and_used(versions: list[VersionDraft]) -> None:
    defined = [definition.name for definition in METRIC_DEFINITIONS]
    assert len(set(defined)) == len(defined)
    assert set(defined) == {name for version in versions for name in version.metrics}


def test_directions() -> None:
    directions = {definition.name: definition.direction for definition in METRIC_DEFINITIONS}
    assert directions["cpu_step_ms"] == directions["param_count_m"] == "lower"
    assert directions["image_size"] == "unknown"
    assert directions["gpu_samples_per_s"] == directions["imagenet_top1_at_224"] == "higher"
    for definition in METRIC_DEFINITIONS:
        assert definition.description.endswith(".")
        is_accuracy = definition.unit == "%"
        assert is_accuracy == (definition.scale == "percent")
        assert is_accuracy == (definition.dataset is not None) == (definition.samples is not None)


def test_the_file_is_the_one_the_script_writes(build_demo_data: ModuleType) -> None:
    content = files("registry_site.demo").joinpath("data", "timm-versions.csv").read_bytes()
    assert b"\r" not in content
    assert content.endswith(b"\n")
    rows = list(csv.DictReader(content.decode().splitlines()))
    assert tuple(rows[0]) == build_demo_data.OUTPUT_COLUMNS
    assert build_demo_data.count(rows) == build_demo_data.EXPECTED


# --- The script -------------------------------------------------------------------------------


def test_the_script_says_which_file_is_missing(
    build_demo_data: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    assert build_demo_data.main([str(tmp_path), "--out", str(out)]) == 1
    assert "cannot be read: No such file or directory." in capsys.readouterr().err
    assert not out.exists()


def test_the_script_says_which_columns_are_wrong(
    build_demo_data: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / build_demo_data.CPU_FILE).write_text("model,speed\nresnet50,fast\n")
    assert build_demo_data.main([str(tmp_path)]) == 1
    message = capsys.readouterr().err
    assert "should have the columns model, infer_img_size" in message
    assert "but has model, speed." in message


def test_the_script_names_every_count_that_differs(build_demo_data: ModuleType) -> None:
    with pytest.raises(build_demo_data.SourceError) as failure:
        build_demo_data.check(build_demo_data.count([]))
    assert "models: expected 900, found 0" in str(failure.value)
    assert "versions: expected 1,266, found 0" in str(failure.value)


@pytest.mark.parametrize(("text", "plain"), [("1,014.45", "1014.45"), ("97.360", "97.360")])
def test_numbers_keep_their_digits(build_demo_data: ModuleType, text: str, plain: str) -> None:
    assert build_demo_data.number(text) == plain


@pytest.mark.parametrize("text", ["", "nan", "inf", "-1", "fast"])
def test_an_invalid_measurement_is_refused(build_demo_data: ModuleType, text: str) -> None:
    with pytest.raises(build_demo_data.SourceError):
        build_demo_data.number(text)
