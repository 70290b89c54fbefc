"""`obeya import mlflow`: imports everything from an MLflow registry."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import click
from rich.progress import Progress

from obeya.artifacts.manifest import FileEntry
from obeya.cli.connection import Session, connected
from obeya.cli.output import counted, say_json
from obeya.errors import NotAllowed, NotFound, NotSignedIn, RegistryError, Unreachable
from obeya.imports import VERSIONS_AT_ONCE_MAX, ImportedModel, ImportedVersion
from obeya.stages import Stage
from obeya.transfer.mlflow_files import FilesElsewhere, Store, stored_files
from obeya.transfer.mlflow_server import Credentials, MlflowServer, SourceModel, SourceVersion

REFUSED = 1
RUN_LINK_TAG, MODEL_ID_TAG, SOURCE_TAG = "mlflow.run_link", "mlflow.model_id", "mlflow.source"
# Far below the limit of a request, even if every version has long texts.
CHARACTERS_AT_ONCE = 1_000_000
CHARACTERS_OF_NUMBER = 24
CHARACTERS_OF_DIGEST = 96


@dataclass(slots=True)
class Report:
    """The result of an import.

    `refused`, `kept_aliases`, `clamped_times`, `similar_names` and `without_files` are sentences,
    `unread_runs` are ids of runs.
    """

    models: int = 0
    new_models: int = 0
    versions: int = 0
    imported: int = 0
    existing: int = 0
    refused: list[str] = field(default_factory=list)
    kept_aliases: list[str] = field(default_factory=list)
    clamped_times: list[str] = field(default_factory=list)
    similar_names: list[str] = field(default_factory=list)
    unread_runs: list[str] = field(default_factory=list)
    files: int = 0
    without_files: list[str] = field(default_factory=list)


class _Source:
    """An MLflow registry, and the tracking server with its runs."""

    def __init__(
        self,
        registry: MlflowServer,
        tracking: MlflowServer,
        report: Report,
        store: Store | None = None,
    ) -> None:
        self.registry = registry
        self._tracking = tracking
        self._report = report
        self._store = store
        self._metrics: dict[str, dict[str, float]] = {}

    def imported(
        self, model: SourceModel, version: SourceVersion, existing: Collection[int] = ()
    ) -> ImportedVersion:
        """Return a version for the import, with the last metrics of its run and its files.

        Versions whose numbers are in `existing` get no files.
        """
        uri, further = version.source, {}
        if version.source.startswith("models:/"):
            uri = self.registry.download_uri(model.name, version.number) or uri
            further[SOURCE_TAG] = version.source
        further |= {RUN_LINK_TAG: version.run_link, MODEL_ID_TAG: version.model_id}
        return ImportedVersion(
            version=version.number,
            stage=_stage(version.stage),
            created_at=version.created_at,
            updated_at=max(version.created_at, version.updated_at),
            metrics=self._metrics_of(version),
            tags={**version.tags, **{key: value for key, value in further.items() if value}},
            aliases=tuple(a for a, number in model.aliases.items() if number == version.number),
            artifact_path=uri,
            source_run=version.run_id,
            description=version.description,
            files=() if version.number in existing else self._files_of(model, version, uri),
        )

    def numbers_here(self, session: Session, name: str) -> Collection[int]:
        """Return the version numbers that exist here; empty if no files are imported."""
        if self._store is None:
            return ()
        try:
            return {version.version for version in session.registry.list_versions(name)}
        except NotFound:
            return ()

    def _files_of(
        self, model: SourceModel, version: SourceVersion, uri: str
    ) -> tuple[FileEntry, ...]:
        if self._store is None:
            return ()
        try:
            files = tuple(stored_files(self._tracking, uri, self._store))
        except FilesElsewhere as error:
            self._report.without_files.append(f"{model.name} v{version.number}: {error}")
            return ()
        self._report.files += len(files)
        return files

    def _metrics_of(self, version: SourceVersion) -> dict[str, float]:
        if not version.run_id:
            return {}
        if version.run_id not in self._metrics:
            try:
                found = self._tracking.run_metrics(version.run_id)
            except NotFound:
                self._report.unread_runs.append(version.run_id)
                found = {}
            self._metrics[version.run_id] = found
        return self._metrics[version.run_id]


@click.command
@click.option("--tracking-uri", required=True, metavar="URI", help="The MLflow server of the runs.")
@click.option("--registry-uri", metavar="URI", help="The MLflow registry, if it is another server.")
@click.option(
    "--model", "wanted", multiple=True, metavar="NAME", help="Only this model. Can be repeated."
)
@click.option("--with-artifacts", is_flag=True, help="Also copy the files of new versions.")
@click.option("--dry-run", is_flag=True, help="Only read the source and report its contents.")
@click.option(
    "--source-token",
    envvar="MLFLOW_TRACKING_TOKEN",
    show_envvar=True,
    default="",
    help="An API token of the MLflow server. Takes precedence over the user name.",
)
@click.option(
    "--source-user",
    envvar="MLFLOW_TRACKING_USERNAME",
    show_envvar=True,
    default="",
    help="A user name on the MLflow server.",
)
@click.option(
    "--source-password",
    envvar="MLFLOW_TRACKING_PASSWORD",
    show_envvar=True,
    default="",
    help="The password of that user.",
)
@connected
def from_mlflow(
    session: Session,
    tracking_uri: str,
    registry_uri: str | None,
    wanted: tuple[str, ...],
    source_token: str,
    source_user: str,
    source_password: str,
    *,
    with_artifacts: bool,
    dry_run: bool,
) -> None:
    """Import an MLflow registry with its stages, aliases and times.

    Versions keep their numbers and stages; no policy is checked, and those in Staging and
    Production are marked as imported, not checked. The log says that they were imported, and when
    MLflow says each change happened; a time in the future is replaced by that of the import, and
    reported. Existing versions are not changed, so the command can run again, also after an
    interruption.

    With --with-artifacts, files are copied from the tracking server and from folders of this
    machine. Files elsewhere, such as in a bucket, stay there and are listed.

    --token is a token of Obeya with the scope admin, of an account with the permission to import.
    The --source options are the credentials for
    the MLflow server.
    """
    credentials = Credentials(source_token, source_user, source_password)
    tracking = MlflowServer(tracking_uri, credentials)
    registry = MlflowServer(registry_uri, credentials) if registry_uri else tracking
    report = Report()
    store = session.registry.store_file if with_artifacts and not dry_run else None
    source = _Source(registry, tracking, report, store)
    models = list(dict.fromkeys(wanted)) or list(registry.models())
    with Progress(disable=session.as_json or dry_run) as progress:
        task = progress.add_task("Importing", total=len(models))
        for name in models:
            try:
                _bring(session, source, name, report, dry_run=dry_run)
            except (Unreachable, NotSignedIn, NotAllowed):
                raise
            except RegistryError as error:
                report.refused.append(f"{name}: {error}")
            progress.advance(task)
    _say(session, report, dry_run=dry_run)
    if report.refused:
        click.get_current_context().exit(REFUSED)


def _bring(session: Session, source: _Source, name: str, report: Report, *, dry_run: bool) -> None:
    model = source.registry.model(name)
    report.models += 1
    stream = _counted(source.registry.versions(name), report)
    if dry_run:
        for version in stream:
            source.imported(model, version)
        return
    is_first = True
    there = source.numbers_here(session, name)
    for versions in _batches(source.imported(model, version, there) for version in stream):
        _send(session, source, model, versions, report)
        is_first = False
    if is_first:
        _send(session, source, model, (), report)


def _send(
    session: Session,
    source: _Source,
    model: SourceModel,
    versions: tuple[ImportedVersion, ...],
    report: Report,
) -> None:
    done = session.registry.import_model(
        ImportedModel(
            name=model.name,
            origin=source.registry.address,
            created_at=model.created_at,
            description=model.description,
            tags=model.tags,
            versions=versions,
            clamp_future_times=True,
        )
    )
    report.new_models += done.is_new
    report.imported += len(done.imported)
    report.existing += len(done.existing)
    report.refused += [f"{model.name}: {why}" for why in done.refused.values()]
    report.kept_aliases += [f"{model.name}: {sentence}" for sentence in done.kept_aliases]
    report.clamped_times += [f"{model.name}: {sentence}" for sentence in done.clamped_times]
    report.similar_names += [f"{model.name}: {sentence}" for sentence in done.similar_names]


def _counted(versions: Iterator[SourceVersion], report: Report) -> Iterator[SourceVersion]:
    for version in versions:
        report.versions += 1
        yield version


def _batches(versions: Iterator[ImportedVersion]) -> Iterator[tuple[ImportedVersion, ...]]:
    """Yield batches that fit in one request, by number of versions and length of their texts."""
    batch: list[ImportedVersion] = []
    size = 0
    for version in versions:
        weight = _weight(version)
        if batch and (len(batch) == VERSIONS_AT_ONCE_MAX or size + weight > CHARACTERS_AT_ONCE):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(version)
        size += weight
    if batch:
        yield tuple(batch)


def _weight(version: ImportedVersion) -> int:
    """Return approximately how many characters a version takes in a request."""
    texts = [version.description, version.artifact_path, *version.aliases]
    texts += [part for tag in version.tags.items() for part in tag]
    numbers = sum(len(name) + CHARACTERS_OF_NUMBER for name in version.metrics)
    files = sum(len(file.path) + CHARACTERS_OF_DIGEST for file in version.files)
    return sum(map(len, texts)) + numbers + files


def _stage(text: str) -> Stage:
    return Stage.DEVELOPMENT if text.lower() == "none" else Stage.parse(text)


def _say(session: Session, report: Report, *, dry_run: bool) -> None:
    if session.as_json:
        say_json(
            {
                "models": report.models,
                "new_models": report.new_models,
                "versions": report.versions,
                "imported": report.imported,
                "existing": report.existing,
                "refused": report.refused,
                "kept_aliases": report.kept_aliases,
                "clamped_times": report.clamped_times,
                "similar_names": report.similar_names,
                "unread_runs": report.unread_runs,
                "files": report.files,
                "without_files": report.without_files,
            }
        )
        return
    for sentence in report.refused:
        click.echo(f"refused: {sentence}", err=True)
    for sentence in report.kept_aliases:
        click.echo(f"kept: {sentence}", err=True)
    for sentence in report.clamped_times:
        click.echo(f"time: {sentence}", err=True)
    for sentence in report.similar_names:
        click.echo(f"similar: {sentence}", err=True)
    for run in report.unread_runs:
        click.echo(f"no metrics: the tracking server has no run {run}", err=True)
    for sentence in report.without_files:
        click.echo(f"no files: {sentence}", err=True)
    read = f"{counted(report.models, 'model')} and {counted(report.versions, 'version')} read"
    if dry_run:
        click.echo(f"{read}. Dry run: nothing was imported.")
        return
    new = counted(report.new_models, "new model")
    there = f", {report.existing:,} already imported" if report.existing else ""
    refused = f", {len(report.refused):,} refused" if report.refused else ""
    files = f", with {report.files:,} files" if report.files else ""
    click.echo(
        f"{read}; {new}, {counted(report.imported, 'version')} imported{files}{there}{refused}."
    )
