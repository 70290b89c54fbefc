"""Build the demonstration data set, timm-versions.csv, from the published results of timm.

    python scripts/build_demo_data.py SOURCE_DIR [--out FILE]

SOURCE_DIR contains nine files of the `results/` folder of huggingface/pytorch-image-models
(Apache-2.0) at commit aa4b5850c1543fa488abf260f18390eda46cf85d; SOURCES below lists them. The
output has one row per model version and is the same byte for byte on every run.
registry_site/demo/data/README.md says what each column means, and how pitfalls of the source are
handled.

In timm, pretrained weights are called `architecture.tag`: the architecture is the registered model,
each tag is one version of it. Figures are text from input to output, so nothing is rounded.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path

OUTPUT = Path(__file__).resolve().parent.parent / "registry_site/demo/data/timm-versions.csv"

ACCURACY_COLUMNS = [
    "model",
    "img_size",
    "top1",
    "top1_err",
    "top5",
    "top5_err",
    "param_count",
    "crop_pct",
    "interpolation",
]
SHIFTED_COLUMNS = [*ACCURACY_COLUMNS, "top1_diff", "top5_diff", "rank_diff"]
BENCHMARK_COLUMNS = [
    "model",
    "infer_img_size",
    "infer_samples_per_sec",
    "infer_step_time",
    "infer_batch_size",
    "param_count",
    "infer_gmacs",
    "infer_macts",
]

HEADLINE_FILE = "results-imagenet.csv"
CPU_FILE = "benchmark-infer-fp32-nchw-pt240-cpu-i7_12700h-dynamo.csv"
GPU_FILE = "benchmark-infer-amp-nchw-pt291-cu128-4090.csv"
PRETRAIN_FILE = "model_metadata-in1k.csv"

# Output column of the top-1 accuracy (percent) on each other test set, and the file it is from.
SHIFTED_FILES = {
    "imagenet_real_top1": "results-imagenet-real.csv",
    "imagenetv2_top1": "results-imagenetv2-matched-frequency.csv",
    "imagenet_sketch_top1": "results-sketch.csv",
    "imagenet_a_top1": "results-imagenet-a.csv",
    "imagenet_r_top1": "results-imagenet-r.csv",
}

# The smaller image sizes in pixels at which versions were tested a second time.
SMALLER_IMAGE_SIZES = (160, 176, 192, 208, 224, 240, 256, 288, 300, 320, 384, 416, 448)

# Every source file and the columns it must have.
SOURCES: dict[str, list[str]] = {
    HEADLINE_FILE: ACCURACY_COLUMNS,
    **dict.fromkeys(SHIFTED_FILES.values(), SHIFTED_COLUMNS),
    CPU_FILE: BENCHMARK_COLUMNS,
    GPU_FILE: BENCHMARK_COLUMNS,
    PRETRAIN_FILE: ["model", "pretrain"],
}

ACCURACIES = ("imagenet_top1", "imagenet_top5", *SHIFTED_FILES)
TAGS = ("family", "pretrain", "distilled")


def smaller_top1(size: int) -> str:
    """Return the name of the metric for top-1 accuracy at a smaller image size, in pixels."""
    return f"imagenet_top1_at_{size}"


METRICS = (
    "image_size",
    *ACCURACIES,
    "param_count_m",
    "cpu_step_ms",
    "gpu_samples_per_s",
    *map(smaller_top1, SMALLER_IMAGE_SIZES),
)
# The columns that `obeya import csv` reads.
OUTPUT_COLUMNS = (
    *("model", "version", "label"),
    *(f"metrics.{name}" for name in METRICS),
    *(f"tags.{name}" for name in TAGS),
)

# The prefixes of architecture names for each family; the longest match decides.
FAMILY_PREFIXES: dict[str, Sequence[str]] = {
    "beit": ["beit"],
    # timm's "bring your own attention": ResNet-like networks with self-attention blocks.
    "byoanet": [
        "bat_resnext",
        "botnet",
        "eca_botnext",
        "eca_halonext",
        "halo2botnet",
        "halonet",
        "haloregnetz",
        "lambda_resnet",
        "lamhalobotnet",
        "sebotnet",
        "sehalonet",
    ],
    "caformer": ["caformer"],
    "cait": ["cait"],
    "coat": ["coat_"],
    "coatnet": ["coatnet", "coatnext"],
    "convformer": ["convformer"],
    "convit": ["convit"],
    "convmixer": ["convmixer"],
    "convnext": ["convnext"],
    "crossvit": ["crossvit"],
    "cspnet": ["cs3", "cspdarknet", "cspresne"],
    "darknet": ["darknet"],
    "davit": ["davit"],
    "deit": ["deit"],
    "densenet": ["densenet"],
    "dla": ["dla"],
    "dpn": ["dpn"],
    "edgenext": ["edgenext"],
    "efficientformer": ["efficientformer"],
    "efficientnet": ["efficientnet", "gc_efficientnet", "tf_efficientnet"],
    # Two unrelated designs share the name EfficientViT.
    "efficientvit-mit": ["efficientvit_b", "efficientvit_l"],
    "efficientvit-msra": ["efficientvit_m"],
    "eva": ["eva"],
    "fasternet": ["fasternet"],
    "fastvit": ["fastvit"],
    "fbnet": ["fbnet"],
    "flexivit": ["flexivit", "naflexvit"],
    "focalnet": ["focalnet"],
    "gcvit": ["gcvit"],
    "gernet": ["gernet"],
    "ghostnet": ["ghostnet"],
    "gmlp": ["gmlp"],
    "hardcorenas": ["hardcorenas"],
    "hgnet": ["hgnet"],
    "hiera": ["hiera"],
    "hrnet": ["hrnet"],
    "inception": ["inception"],
    "inception-next": ["inception_next"],
    "lcnet": ["lcnet"],
    "levit": ["levit"],
    "mambaout": ["mambaout"],
    "maxvit": ["maxvit", "maxxvit"],
    "mixer": ["gmixer", "mixer"],
    "mixnet": ["mixnet", "tf_mixnet"],
    "mnasnet": ["mnasnet", "semnasnet"],
    "mobilenet": ["mobilenet", "tf_mobilenet"],
    "mobileone": ["mobileone"],
    "mobilevit": ["mobilevit"],
    "mvit": ["mvit"],
    "nasnet": ["nasnet", "pnasnet"],
    "nest": ["nest"],
    "nextvit": ["nextvit"],
    # Normalizer-free networks.
    "nfnet": ["dm_nfnet", "eca_nfnet", "nf_", "nfnet"],
    "pit": ["pit_"],
    "poolformer": ["poolformer"],
    "pvt": ["pvt"],
    "rdnet": ["rdnet"],
    "regnet": ["regnet"],
    "repghostnet": ["repghostnet"],
    "repvgg": ["repvgg"],
    "repvit": ["repvit"],
    "res2net": ["res2ne"],
    "resmlp": ["resmlp"],
    "resnest": ["resnest"],
    # With the squeeze-and-excite, channel-attention and anti-aliased variants of each.
    "resnet": [
        "eca_resnet",
        "ecaresnet",
        "gcresnet",
        "legacy_seresnet",
        "resnet",
        "seresnet",
        "skresnet",
        "wide_resnet",
    ],
    "resnetrs": ["resnetrs"],
    "resnetv2": ["resnetv2"],
    "resnext": [
        "eca_resnext",
        "gcresnext",
        "legacy_seresnext",
        "resnext",
        "seresnext",
        "skresnext",
    ],
    "rexnet": ["rexnet"],
    "selecsls": ["selecsls"],
    "senet": ["legacy_senet", "senet"],
    "sequencer": ["sequencer"],
    "shvit": ["shvit"],
    "spnasnet": ["spnasnet"],
    "starnet": ["starnet"],
    "swiftformer": ["swiftformer"],
    "swin": ["swin"],
    # Miniature networks that timm creates for tests, whatever design they imitate.
    "test": ["test_"],
    "tinynet": ["tinynet"],
    "tinyvit": ["tiny_vit"],
    "tnt": ["tnt"],
    "tresnet": ["tresnet"],
    "twins": ["twins"],
    "vgg": ["vgg"],
    "visformer": ["visformer"],
    "vit": ["vit_"],
    "volo": ["volo"],
    "vovnet": ["ese_vovnet"],
    "xception": ["legacy_xception", "xception"],
    "xcit": ["xcit"],
}

# The words of a version's name that denote training data. `openai` denotes the data of the CLIP
# weights that OpenAI published, which the tags give no other name.
DATA_WORDS = frozenset(
    {
        "ig1b",
        "in12k",
        "in1k",
        "in21k",
        "in22k",
        "jft",
        "laion2b",
        "laiona",
        "m30m",
        "m38m",
        "openai",
        "webli",
        "yfcc100m",
    }
)
# Words for an earlier or additional training stage without naming its data: fine-tuned, linear
# classifier only, semi-supervised label distillation.
UNNAMED_STAGE_WORDS = frozenset({"ft", "lc", "ssld"})
DISTILLED_WORDS = frozenset({"dist", "distilled"})


class SourceError(Exception):
    """The source files differ from those that this script was written for."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The expected numbers of the source and of the output."""

    models: int
    models_with_several_versions: int
    versions_of_resnet50: int
    versions: int
    versions_at_two_sizes: int
    versions_with_gpu_figures: int
    versions_with_cpu_figures: int
    versions_with_every_accuracy: int
    versions_without_imagenet_a: int


EXPECTED = Counts(
    models=900,
    models_with_several_versions=198,
    versions_of_resnet50=18,
    versions=1_266,
    versions_at_two_sizes=290,
    versions_with_gpu_figures=1_266,
    versions_with_cpu_figures=1_180,
    versions_with_every_accuracy=1_265,
    versions_without_imagenet_a=1,
)

Row = Mapping[str, str]
# The rows of one file by name (a version's or an architecture's) and image size in pixels.
Sized = Mapping[tuple[str, int], Row]


@dataclass(frozen=True, slots=True)
class Source:
    """The nine files: accuracy by version and image size, benchmarks by architecture and size."""

    headline: Sized
    shifted: Mapping[str, Sized]
    cpu: Sized
    gpu: Sized
    pretrain: Mapping[str, str]


def read_rows(folder: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of one source file.

    Raises:
        SourceError: the file is missing or its columns are not the expected ones.
    """
    path = folder / name
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            columns, rows = list(reader.fieldnames or ()), list(reader)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error
    if columns != SOURCES[name]:
        raise SourceError(
            f"{name} should have the columns {', '.join(SOURCES[name])}, "
            f"but has {', '.join(columns) or 'none'}."
        )
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise SourceError(f"{name}, row {line}: the row must have {len(columns)} cells.")
    return rows


def read_sized(folder: Path, name: str, size_column: str) -> Sized:
    """Return the rows of one file by name and image size (pixels), together unique."""
    rows: dict[tuple[str, int], Row] = {}
    for row in read_rows(folder, name):
        if not row[size_column].isdecimal():
            raise SourceError(f"{name}: “{row[size_column]}” is not an image size in pixels.")
        key = (row["model"], int(row[size_column]))
        if key in rows:
            raise SourceError(f"{name} measures {key[0]} at {key[1]} pixels twice.")
        rows[key] = row
    return rows


def read_source(folder: Path) -> Source:
    """Return all nine files; see SOURCES."""
    cpu = read_sized(folder, CPU_FILE, "infer_img_size")
    if any(row["infer_batch_size"] != "1" for row in cpu.values()):
        raise SourceError(f"{CPU_FILE} has a batch size other than 1: step times are per batch.")
    return Source(
        headline=read_sized(folder, HEADLINE_FILE, "img_size"),
        shifted={
            column: read_sized(folder, name, "img_size") for column, name in SHIFTED_FILES.items()
        },
        cpu=cpu,
        gpu=read_sized(folder, GPU_FILE, "infer_img_size"),
        pretrain={row["model"]: row["pretrain"] for row in read_rows(folder, PRETRAIN_FILE)},
    )


def number(text: str) -> str:
    """Return a figure as plain decimal text: ``1,014.45`` (a thousands comma) becomes ``1014.45``.

    Raises:
        SourceError: it is not a finite, non-negative number.
    """
    plain = text.replace(",", "")
    try:
        value = Decimal(plain)
    except InvalidOperation as error:
        raise SourceError(f"“{text}” is not a number.") from error
    if not value.is_finite() or value < 0:
        raise SourceError(f"“{text}” is not a finite, non-negative number.")
    return plain


def family(architecture: str) -> str:
    """Return the architecture family, by the longest matching entry of FAMILY_PREFIXES.

    Raises:
        SourceError: no entry matches.
    """
    matches = [
        (len(prefix), name)
        for name, prefixes in FAMILY_PREFIXES.items()
        for prefix in prefixes
        if architecture.startswith(prefix)
    ]
    if not matches:
        raise SourceError(f"No family is known for the architecture {architecture}.")
    return max(matches)[1]


def words(name: str) -> list[str]:
    """Return the words of an architecture's, tag's or version's name, in order."""
    return name.replace(".", "_").split("_")


def pretrain(name: str, file_says: str | None) -> str:
    """Return the data a version was trained on before its last stage; ``""`` if unknown.

    The version's name decides. timm's tags list data in training order and end with ``in1k``, the
    data of the last stage: ``laion2b_ft_in12k_in1k`` gives ``laion2b+in12k``. A name with no data
    but ImageNet-1k gives ``in1k``, unless a word of UNNAMED_STAGE_WORDS denotes a stage whose data
    it does not name; then `file_says` decides. That is the entry of model_metadata-in1k.csv
    (``in1k-dist``: the data, then the technique, which is dropped); the caller passes it only if
    the architecture has a single version, because the file does not distinguish versions.
    """
    data = [word for word in words(name) if word in DATA_WORDS]
    if not data or data[-1] != "in1k":
        raise SourceError(f"The name {name} does not end its training data with in1k.")
    if len(data) > 1:
        return "+".join(dict.fromkeys(data[:-1]))
    if UNNAMED_STAGE_WORDS.isdisjoint(words(name)):
        return "in1k"
    return file_says.partition("-")[0] if file_says else ""


def is_distilled(name: str) -> bool:
    """Return whether a version's name contains the word ``dist`` or ``distilled``.

    The name is that of the architecture or of the tag.
    """
    return not DISTILLED_WORDS.isdisjoint(words(name))


def image_sizes(headline: Sized) -> dict[str, list[int]]:
    """Return the image sizes (pixels) of each version's tests: one or two, smallest first."""
    sizes: dict[str, list[int]] = {}
    for name, size in headline:
        sizes.setdefault(name, []).append(size)
    for name, measured in sizes.items():
        if len(measured) > 2:
            raise SourceError(f"{name} was tested at more than two image sizes.")
        measured.sort()
    return sizes


def in_version_order(names: Iterable[str], headline: Sized) -> list[tuple[str, int]]:
    """Return version names with their number, by architecture and number.

    The source has no dates, so versions are numbered by their headline top-1 accuracy on
    ImageNet-1k, lowest first; equal ones by tag.
    """
    sizes = image_sizes(headline)

    def place(name: str) -> tuple[str, Decimal, str]:
        architecture, dot, tag = name.partition(".")
        if not dot or not tag:
            raise SourceError(f"{name} has no tag.")
        return architecture, Decimal(figure(headline, name, sizes[name][-1], "top1")), tag

    seen: Counter[str] = Counter()
    ordered = []
    for architecture, _, tag in sorted(map(place, names)):
        seen[architecture] += 1
        ordered.append((f"{architecture}.{tag}", seen[architecture]))
    return ordered


def figure(rows: Sized, name: str, size: int, column: str) -> str:
    """Return one figure, ``""`` if it was not measured."""
    row = rows.get((name, size))
    if row is None:
        return ""
    try:
        return number(row[column])
    except SourceError as error:
        raise SourceError(f"{name} at {size} pixels, column {column}: {error}") from error


def version_row(
    source: Source, name: str, version: int, sizes: Sequence[int], file_says: str | None
) -> dict[str, str]:
    """Return one output row.

    Accuracies are percent at the larger tested image size (the headline size, pixels);
    `param_count_m` is in millions; `cpu_step_ms` is milliseconds per image (batch size 1) and
    `gpu_samples_per_s` images per second, both of the architecture at the headline size.
    `file_says` is passed to `pretrain`.
    """
    architecture, _, tag = name.partition(".")
    size = sizes[-1]
    measured = {
        "image_size": str(size),
        "imagenet_top1": figure(source.headline, name, size, "top1"),
        "imagenet_top5": figure(source.headline, name, size, "top5"),
        **{column: figure(rows, name, size, "top1") for column, rows in source.shifted.items()},
        "param_count_m": figure(source.headline, name, size, "param_count"),
        "cpu_step_ms": figure(source.cpu, architecture, size, "infer_step_time"),
        "gpu_samples_per_s": figure(source.gpu, architecture, size, "infer_samples_per_sec"),
        **{smaller_top1(s): figure(source.headline, name, s, "top1") for s in sizes[:-1]},
    }
    tags = {
        "family": family(architecture),
        "pretrain": pretrain(name, file_says),
        "distilled": "yes" if is_distilled(name) else "",
    }
    return {
        "model": architecture,
        "version": str(version),
        "label": tag,
        **{f"metrics.{metric}": measured.get(metric, "") for metric in METRICS},
        **{f"tags.{key}": value for key, value in tags.items()},
    }


def build(source: Source) -> list[dict[str, str]]:
    """Return all output rows, by model name and version number."""
    sizes = image_sizes(source.headline)
    siblings = Counter(name.partition(".")[0] for name in sizes)
    only_versions = {name: said for name, said in source.pretrain.items() if siblings[name] == 1}
    return [
        version_row(source, name, version, sizes[name], only_versions.get(name.partition(".")[0]))
        for name, version in in_version_order(sizes, source.headline)
    ]


def count(rows: Sequence[Row]) -> Counts:
    """Count what the rows contain."""
    per_model = Counter(row["model"] for row in rows)
    return Counts(
        models=len(per_model),
        models_with_several_versions=sum(versions > 1 for versions in per_model.values()),
        versions_of_resnet50=per_model["resnet50"],
        versions=len(rows),
        versions_at_two_sizes=sum(
            any(row[f"metrics.{smaller_top1(size)}"] for size in SMALLER_IMAGE_SIZES)
            for row in rows
        ),
        versions_with_gpu_figures=filled(rows, "metrics.gpu_samples_per_s"),
        versions_with_cpu_figures=filled(rows, "metrics.cpu_step_ms"),
        versions_with_every_accuracy=sum(
            all(row[f"metrics.{name}"] for name in ACCURACIES) for row in rows
        ),
        versions_without_imagenet_a=len(rows) - filled(rows, "metrics.imagenet_a_top1"),
    )


def filled(rows: Sequence[Row], column: str) -> int:
    """Return how many rows have a value in a column."""
    return sum(bool(row[column]) for row in rows)


def check(found: Counts) -> None:
    """Compare with EXPECTED.

    Raises:
        SourceError: a number differs; the message lists every one that does.
    """
    wrong = [
        f"{field.name.replace('_', ' ')}: expected {getattr(EXPECTED, field.name):,}, "
        f"found {getattr(found, field.name):,}"
        for field in fields(Counts)
        if getattr(found, field.name) != getattr(EXPECTED, field.name)
    ]
    if wrong:
        raise SourceError(f"The source differs from the expected one: {'; '.join(wrong)}.")


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the rows as UTF-8 CSV with line feeds and quotes only where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, OUTPUT_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def summary(rows: Sequence[Row], counts: Counts) -> str:
    """Return the counts, the filled rows of each tag, and how often each tag value occurs."""
    lines = [
        f"{getattr(counts, field.name):>6,}  {field.name.replace('_', ' ')}"
        for field in fields(Counts)
    ]
    for tag in TAGS:
        values = Counter(row[f"tags.{tag}"] for row in rows if row[f"tags.{tag}"])
        common = ", ".join(f"{value} {times}" for value, times in values.most_common(8))
        lines.append(f"{values.total():>6,}  versions with the tag {tag}, {len(values)} different")
        lines.append(f"        {common}{', ...' if len(values) > 8 else ''}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(description="Build the demonstration data set.")
    parser.add_argument("source", type=Path, metavar="SOURCE_DIR", help="the results CSV files")
    parser.add_argument("--out", type=Path, default=OUTPUT, help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        rows = build(read_source(options.source))
        counts = count(rows)
        check(counts)
    except SourceError as error:
        print(f"build_demo_data: {error}", file=sys.stderr)
        return 1
    write(rows, options.out)
    print(summary(rows, counts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
