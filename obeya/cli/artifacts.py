"""Commands that upload and download the files of versions."""

from __future__ import annotations

from pathlib import Path

import click

from obeya.artifacts.records import Artifact
from obeya.cli.connection import Session, connected, named_version
from obeya.cli.output import say_json
from obeya.documents.artifacts import artifact_document
from obeya.records import ModelVersion


@click.command
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@named_version
@connected
def upload(session: Session, source: Path, model: str, version: str) -> None:
    """Upload the file or folder SOURCE as the files of a version.

    The version must be in Development. Files that the server already has are not sent again; an
    interrupted upload resumes where it stopped.
    """
    found = session.version(model, version)
    artifact = upload_to(session, found, source)
    if session.as_json:
        say_json(artifact_document(artifact))
        return
    say_artifact(found, artifact)


@click.command
@click.argument("target", type=click.Path(path_type=Path))
@named_version
@connected
def download(session: Session, target: Path, model: str, version: str) -> None:
    """Download the files of a version into the folder TARGET, which is created.

    Each file must match its recorded digest; if one does not, nothing is kept.
    """
    found = session.version(model, version)
    artifact = session.registry.download_artifact(
        found.model, found.version, target, progress=_progress
    )
    if session.as_json:
        say_json(artifact_document(artifact))
        return
    click.echo(f"{found}: downloaded {_sized(artifact)} to {target}, {artifact.digest}")


def upload_to(session: Session, version: ModelVersion, source: Path) -> Artifact:
    """Upload a file or folder, with progress on standard error."""
    return session.registry.upload_artifact(
        version.model, version.version, source, progress=_progress
    )


def say_artifact(version: ModelVersion, artifact: Artifact) -> None:
    """Print what is stored, and the warnings about it."""
    click.echo(f"{version}: stored {_sized(artifact)}, {artifact.digest}")
    for warning in artifact.warnings:
        click.echo(f"Warning: {warning}", err=True)


def _sized(artifact: Artifact) -> str:
    count = len(artifact.files)
    return f"{count:,} {'file' if count == 1 else 'files'} ({artifact.size or 0:,} bytes)"


def _progress(path: str, size: int) -> None:
    click.echo(f"{path}  {size:,} bytes", err=True)
