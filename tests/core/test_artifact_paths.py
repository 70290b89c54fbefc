"""Paths of files, and the digests of files and folders."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya.artifacts.manifest import (
    FileEntry,
    artifact_digest,
    checked_entries,
    local_files,
    sha256_of,
)
from obeya.artifacts.paths import artifact_path
from obeya.errors import InvalidInput
from tests.core.traversals import TRAVERSALS

A, B = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    "path", ["model.pkl", "model/data.bin", "Größe/模型.onnx", "a b.txt", ".x"]
)
def test_valid_paths_are_accepted(path):
    assert artifact_path(path) == path


def test_at_least_forty_ways_to_leave_the_folder_are_known():
    assert len(set(TRAVERSALS)) >= 40


@pytest.mark.parametrize("path", TRAVERSALS)
def test_paths_that_leave_the_folder_are_refused(path):
    with pytest.raises(InvalidInput, match="path"):
        artifact_path(path)


@pytest.mark.parametrize("path", ["x" * 5_000, "x" * 256, "x" * 400 + "/" + "y" * 200])
def test_a_long_path_is_refused_with_a_short_message(path):
    with pytest.raises(InvalidInput) as refused:
        artifact_path(path)
    assert len(str(refused.value)) < 300


@given(st.text(max_size=60))
def test_an_accepted_path_is_below_its_folder(text):
    try:
        path = artifact_path(text)
    except InvalidInput:
        return
    root = Path("/canary/root")
    assert (root / path).resolve().is_relative_to(root)
    assert artifact_path(path) == path


def test_the_digest_of_one_file_is_the_files_own():
    assert artifact_digest([FileEntry("any.name", A)]) == f"sha256:{A}"
    assert artifact_digest([FileEntry("folder/any.name", A)]) != f"sha256:{A}"


def test_the_digest_of_a_folder_is_that_of_what_sha256sum_prints(tmp_path):
    for name, content in {"b.txt": b"2", "a/x": b"1", "Z": b"", "a b": b"3"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    printed = subprocess.run(
        [
            "sh",
            "-c",
            r"find * -type f | LC_ALL=C sort | tr '\n' '\0' | xargs -0 sha256sum | sha256sum",
        ],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split()[0]
    files = local_files(tmp_path)
    entries = [FileEntry(path, sha256_of(file)) for path, file in files.items()]
    assert list(files) == ["Z", "a b", "a/x", "b.txt"]
    assert artifact_digest(entries) == artifact_digest(entries[::-1]) == f"sha256:{printed}"


@pytest.mark.parametrize(
    "paths", [[], ["a", "a"], ["Model.bin", "model.bin"], ["a", "a/b"], ["../x"], ["A/b", "a"]]
)
def test_conflicting_paths_are_refused(paths):
    with pytest.raises(InvalidInput):
        checked_entries(FileEntry(path, A) for path in paths)


def test_an_invalid_digest_is_refused():
    for sha256 in ("", "a" * 63, "g" * 64, "../" + A):
        with pytest.raises(InvalidInput, match="64 hexadecimal"):
            checked_entries([FileEntry("a", sha256)])
    assert checked_entries([FileEntry("a", f"sha256:{B.upper()}")]) == (FileEntry("a", B),)


def test_a_folder_without_files_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(InvalidInput):
            local_files(path)


def test_the_sha256_of_a_file_is_that_of_its_content(tmp_path):
    (tmp_path / "x").write_bytes(b"x" * 3_000_000)
    assert sha256_of(tmp_path / "x") == hashlib.sha256(b"x" * 3_000_000).hexdigest()
