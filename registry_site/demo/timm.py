"""The demonstration data: published results of the pretrained image models of timm.

The figures are real. They come from huggingface/pytorch-image-models (Apache-2.0); data/README.md
says from which commit, how they were selected and what each means. Nothing here depends on Django.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from itertools import groupby
from typing import Literal

from obeya.records import VersionDraft
from obeya.transfer.version_rows import csv_rows
from obeya.values import as_metrics

IMAGENET = "ImageNet-1k validation"

# The smaller image sizes in pixels at which versions were tested a second time.
SMALLER_IMAGE_SIZES = (160, 176, 192, 208, 224, 240, 256, 288, 300, 320, 384, 416, 448)


@dataclass(frozen=True, slots=True)
class DemoModel:
    """One architecture and its versions, by number.

    A version is one set of pretrained weights. It is numbered from 1 by ImageNet top-1 accuracy,
    lowest first, because the source has no dates; its label is timm's tag (``a1_in1k``). Every
    version has the tag ``family``; it has ``pretrain`` and ``distilled`` if they are known to
    apply.
    """

    name: str
    versions: tuple[VersionDraft, ...]


@dataclass(frozen=True, slots=True)
class DemoMetricDefinition:
    """The definition of a metric.

    `scale` is ``percent`` for a proportion written from 0 to 100. `samples` and `dataset` are those
    of every measurement of the metric.
    """

    name: str
    unit: str
    direction: Literal["higher", "lower", "unknown"]
    scale: Literal["percent"] | None
    description: str
    samples: int | None = None
    dataset: str | None = None


def _accuracy(name: str, dataset: str, samples: int, description: str) -> DemoMetricDefinition:
    return DemoMetricDefinition(
        name=name,
        unit="%",
        direction="higher",
        scale="percent",
        description=description,
        samples=samples,
        dataset=dataset,
    )


def _top1_at(size: int) -> DemoMetricDefinition:
    return _accuracy(
        f"imagenet_top1_at_{size}",
        IMAGENET,
        50_000,
        f"Top-1 accuracy of the same weights on the ImageNet-1k validation set at {size} pixels, "
        "smaller than the headline image size.",
    )


# Every metric that a version can have. Sources of the test-set sizes: data/README.md.
METRIC_DEFINITIONS: tuple[DemoMetricDefinition, ...] = (
    _accuracy(
        "imagenet_top1",
        IMAGENET,
        50_000,
        "Share of the ImageNet-1k validation images whose class the model ranks first, at the "
        "headline image size.",
    ),
    _accuracy(
        "imagenet_top5",
        IMAGENET,
        50_000,
        "Share of the ImageNet-1k validation images whose class is among the model's first five, "
        "at the headline image size.",
    ),
    _accuracy(
        "imagenet_real_top1",
        "ImageNet-1k validation, ReaL labels",
        46_837,
        "Top-1 accuracy on the ImageNet-1k validation images with reassessed labels; images that "
        "were left without any label do not count.",
    ),
    _accuracy(
        "imagenetv2_top1",
        "ImageNetV2 matched-frequency",
        10_000,
        "Top-1 accuracy on new images collected the way ImageNet was, about ten years later.",
    ),
    _accuracy(
        "imagenet_sketch_top1",
        "ImageNet-Sketch",
        50_889,
        "Top-1 accuracy on black-and-white sketches of the 1,000 ImageNet classes.",
    ),
    _accuracy(
        "imagenet_a_top1",
        "ImageNet-A",
        7_500,
        "Top-1 accuracy on natural photographs of 200 ImageNet classes, chosen because a "
        "ResNet-50 gets them wrong.",
    ),
    _accuracy(
        "imagenet_r_top1",
        "ImageNet-R",
        30_000,
        "Top-1 accuracy on art, cartoons, toys and other renditions of 200 ImageNet classes.",
    ),
    DemoMetricDefinition(
        "param_count_m", "million", "lower", None, "Number of parameters, in millions."
    ),
    DemoMetricDefinition(
        "image_size",
        "px",
        "unknown",
        None,
        "Height and width of the input images at which the version was tested (its headline "
        "image size).",
    ),
    DemoMetricDefinition(
        "cpu_step_ms",
        "ms",
        "lower",
        None,
        "Time to classify one image on an Intel i7-12700H laptop CPU: batch size 1, 32-bit "
        "floats, headline image size. Measured per architecture, not per version.",
    ),
    DemoMetricDefinition(
        "gpu_samples_per_s",
        "images/s",
        "higher",
        None,
        "Images classified per second on an NVIDIA RTX 4090 GPU: batches of up to 1,024, mixed "
        "precision, headline image size. Measured per architecture, not per version.",
    ),
    *map(_top1_at, SMALLER_IMAGE_SIZES),
)

_DEFINITIONS = {definition.name: definition for definition in METRIC_DEFINITIONS}


def read_models() -> tuple[DemoModel, ...]:
    """Return every model with its versions, by name; reads the file as `obeya import csv` does."""
    with as_file(files("registry_site.demo") / "data" / "timm-versions.csv") as file:
        drafts = [_with_datasets(row.version) for row in csv_rows(file, {})]
    return tuple(
        DemoModel(name, tuple(versions))
        for name, versions in groupby(drafts, key=lambda draft: draft.model)
    )


def _with_datasets(draft: VersionDraft) -> VersionDraft:
    """Return the version with the dataset of each accuracy, which a CSV file cannot contain."""
    metrics = as_metrics(draft.metrics)
    return replace(
        draft,
        metrics={
            name: replace(metric, samples=defined.samples, dataset=defined.dataset or "")
            for name, metric in metrics.items()
            for defined in (_DEFINITIONS[name],)
        },
    )
