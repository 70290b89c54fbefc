"""Commands that register and read versions."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import click

from obeya.artifacts.manifest import local_files
from obeya.artifacts.records import Artifact
from obeya.cli.artifacts import say_artifact, upload_to
from obeya.cli.connection import (
    STAGE,
    Session,
    connected,
    named_model,
    named_version,
    numbers,
    pairs,
)
from obeya.cli.options import ALLOW_SIMILAR
from obeya.cli.output import (
    UNCHECKED,
    VERSION_COLUMNS,
    say_json,
    say_table,
    stage_cell,
    version_line,
)
from obeya.comparison import DiffOutcome
from obeya.documents.catalog import model_document, transition_document, version_document
from obeya.documents.comparisons import comparison_document
from obeya.errors import RegistryError
from obeya.metrics import Metric
from obeya.policy.bounds import number_text, short_number
from obeya.records import ModelVersion
from obeya.stages import Stage

_LIST_MAX = 100
SAMPLES = click.option(
    "--samples", type=click.IntRange(min=1), help="The number of samples, for all metrics."
)
DATASET = click.option("--dataset", default="", help="The evaluation dataset, for all metrics.")


@click.command
@click.argument("name")
@click.option(
    "--version",
    type=click.IntRange(min=1),
    show_default="the next number",
    help="The version number.",
)
@click.option(
    "--metric", "metrics", multiple=True, metavar="NAME=VALUE", help="A metric. Can be repeated."
)
@SAMPLES
@DATASET
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag. Can be repeated.")
@click.option(
    "--artifact",
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE_OR_DIR",
    help="A file or folder to store in the registry.",
)
@click.option(
    "--artifact-path",
    "--artifact-uri",
    default="",
    metavar="URI",
    help="The location of files that are stored elsewhere.",
)
@click.option("--artifact-digest", default="", metavar="SHA256", help="The SHA-256 of the files.")
@click.option("--label", default="", help="A label, such as a semantic version.")
@click.option("--description", default="", help="A description in Markdown.")
@click.option("--source-run", default="", help="The training run that created the version.")
@ALLOW_SIMILAR
@connected
def register(
    session: Session,
    name: str,
    version: int | None,
    metrics: tuple[str, ...],
    samples: int | None,
    dataset: str,
    tags: tuple[str, ...],
    artifact: Path | None,
    artifact_path: str,
    artifact_digest: str,
    label: str,
    description: str,
    source_run: str,
    *,
    allow_similar: bool,
) -> None:
    """Register a version of the model NAME in Development; create the model if it is new.

    If the files of --artifact cannot be stored, the version is registered without them. Store them
    later with obeya upload.
    """
    if artifact is not None:
        # Files that cannot be uploaded are detected before anything is registered.
        local_files(artifact)
    made = session.registry.register_model(
        name,
        version,
        _measured(metrics, samples, dataset),
        artifact_path,
        label=label,
        tags=pairs(tags, what="tag"),
        description=description,
        source_run=source_run,
        artifact_digest=artifact_digest,
        allow_similar=allow_similar,
    )
    stored = None if artifact is None else _stored(session, made, artifact)
    if session.as_json:
        made = session.registry.get_version(made.model, made.version) if stored else made
        say_json(version_document(made))
        return
    click.echo(f"{made} is registered in Development.")
    if stored is not None:
        say_artifact(made, stored)


def _stored(session: Session, made: ModelVersion, source: Path) -> Artifact:
    try:
        return upload_to(session, made, source)
    except RegistryError:
        click.echo(f"{made} is registered in Development, without its files.", err=True)
        raise


@click.command("log-metrics")
@named_version
@click.option("--metric", "metrics", multiple=True, required=True, metavar="NAME=VALUE")
@SAMPLES
@DATASET
@ALLOW_SIMILAR
@connected
def log_metrics(
    session: Session,
    model: str,
    version: str,
    metrics: tuple[str, ...],
    samples: int | None,
    dataset: str,
    *,
    allow_similar: bool,
) -> None:
    """Add metrics to a version. An existing metric is replaced; the log keeps its old value.

    Details that you do not repeat for a metric, such as its samples, are removed.
    """
    measured = _measured(metrics, samples, dataset)
    number = session.version(model, version).version
    changed = session.registry.log_metrics(model, number, measured, allow_similar=allow_similar)
    if session.as_json:
        say_json(version_document(changed))
        return
    count = len(changed.metrics)
    click.echo(f"{changed} has {count} {'metric' if count == 1 else 'metrics'}.")


def _measured(metrics: tuple[str, ...], samples: int | None, dataset: str) -> dict[str, Metric]:
    return {
        name: Metric(name, value, samples, dataset=dataset)
        for name, value in numbers(metrics).items()
    }


@click.command("list")
@click.argument("words", nargs=-1)
@click.option("--stage", type=STAGE, help="List the versions in this stage.")
@click.option("--model", metavar="NAME", help="List the versions of this model.")
@click.option("--filter", "where", default="", help='Such as: metrics.auc >= 0.9 and label = "rc1"')
@click.option("--order-by", default="", help="Such as: metrics.auc desc, created")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_LIST_MAX,
    show_default=True,
    help="The maximum number of rows.",
)
@connected
def list_(
    session: Session,
    words: tuple[str, ...],
    stage: Stage | None,
    model: str | None,
    where: str,
    order_by: str,
    limit: int,
) -> None:
    """List models whose names contain WORDS, or versions by stage, model or filter."""
    if stage is None and model is None and not where and not order_by:
        _list_models(session, " ".join(words), limit)
        return
    if words:
        raise click.UsageError("WORDS search for models. Use --model NAME to list versions.")
    clauses = [f"({where})"] if where.strip() else []
    if stage is not None:
        clauses.append(f"stage = {stage.value}")
    found = session.registry.search_versions(" and ".join(clauses), model=model, order_by=order_by)
    versions = list(islice(found, limit))
    if session.as_json:
        say_json([version_document(version) for version in versions])
    elif versions:
        say_table(VERSION_COLUMNS, map(version_line, versions))
    else:
        click.echo("No version matches.", err=True)


def _list_models(session: Session, words: str, limit: int) -> None:
    models = list(islice(session.registry.list_models(words), limit))
    if session.as_json:
        say_json([model_document(model) for model in models])
    elif models:
        say_table(
            ("model", *(stage.label for stage in Stage), "champion", "latest"),
            (
                [
                    model.name,
                    *(model.stages.get(stage, 0) for stage in Stage),
                    f"v{model.champion}" if model.champion else "",
                    f"v{model.latest}" if model.latest else "",
                ]
                for model in models
            ),
        )
    elif words:
        click.echo(f"No model name contains “{words}”.", err=True)
    else:
        click.echo("There are no models yet. Register the first with obeya register.", err=True)


@click.command
@named_model
@click.option("--version", metavar="N", help="One version: a number, an alias, or latest.")
@connected
def show(session: Session, model: str, version: str | None) -> None:
    """Show a model, or one of its versions."""
    if version is not None:
        _show_version(session, session.version(model, version))
        return
    found = session.registry.get_model(model)
    if session.as_json:
        say_json(model_document(found))
        return
    click.echo(found.name)
    for title, value in (
        ("owner", found.owner),
        ("champion", f"v{found.champion}" if found.champion else "none"),
        ("latest", f"v{found.latest}" if found.latest else "none"),
        *((stage.label, found.stages.get(stage, 0)) for stage in Stage),
        *((f"alias {alias}", f"v{number}") for alias, number in found.aliases.items()),
        *((f"tag {key}", text) for key, text in found.tags.items()),
        ("description", found.description),
    ):
        if value not in ("", None):
            click.echo(f"  {title}: {value}")


def _show_version(session: Session, version: ModelVersion) -> None:
    if session.as_json:
        say_json(version_document(version))
        return
    click.echo(f"{version} in {stage_cell(version)}, revision {version.revision}")
    for title, value in (
        ("label", version.label),
        ("aliases", ", ".join(version.aliases)),
        ("owner", version.owner),
        ("registered", f"{version.created_at:%Y-%m-%d %H:%M %Z}"),
        ("in its stage since", f"{version.stage_entered_at:%Y-%m-%d %H:%M %Z}"),
        ("artifact", version.artifact_path),
        ("digest", version.artifact_digest),
        ("size", "" if version.artifact_size is None else f"{version.artifact_size:,} bytes"),
        *(("warning", warning) for warning in version.artifact_warnings),
        ("source run", version.source_run),
        *((f"tag {key}", text) for key, text in version.tags.items()),
        ("description", version.description),
    ):
        if value:
            click.echo(f"  {title}: {value}")
    if version.metrics:
        say_table(
            ("metric", "value", "samples", "dataset"),
            (
                [m.name, number_text(m.value), m.samples, m.dataset]
                for m in version.measurements.values()
            ),
        )


_WORDS = {
    DiffOutcome.BETTER: "better",
    DiffOutcome.WORSE: "worse",
    DiffOutcome.EQUAL: "equal",
}


@click.command
@named_model
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@connected
def compare(session: Session, model: str, a: str, b: str) -> None:
    """Compare version B of a model with version A, metric by metric."""
    first, second = session.version(model, a), session.version(model, b)
    found = session.registry.compare_versions(model, first.version, second.version)
    if session.as_json:
        say_json(comparison_document(found))
        return
    say_table(
        ("metric", str(first), str(second), "difference", "change", "outcome"),
        (
            [
                metric,
                number_text(diff.a.value) if diff.a else "",
                number_text(diff.b.value) if diff.b else "",
                _signed(diff.difference),
                _signed(diff.percent_change, " %"),
                _WORDS.get(diff.outcome, diff.outcome.value.replace("_", " ")),
            ]
            for metric, diff in found.metric_diffs.items()
        ),
    )


def _signed(number: float | None, unit: str = "") -> str:
    """Return a difference as on the comparison page; empty for None."""
    if number is None:
        return ""
    return f"{'+' if number > 0 else ''}{short_number(number)}{unit}"


@click.command
@named_model
@click.option("--version", metavar="N", help="Only this version.")
@connected
def history(session: Session, model: str, version: str | None) -> None:
    """Show the moves of a model's versions, oldest first."""
    number = None if version is None else session.version(model, version).version
    moves = session.registry.get_transitions(model, number)
    if session.as_json:
        say_json([transition_document(move) for move in moves])
        return
    say_table(
        ("when", "version", "from", "to", "by", "reason"),
        (
            [
                f"{move.timestamp:%Y-%m-%d %H:%M}",
                f"v{move.version}",
                move.from_stage.label if move.from_stage else "registered",
                f"{move.to_stage.label}{UNCHECKED * move.imported_unchecked}",
                move.actor,
                move.reason,
            ]
            for move in moves
        ),
    )
