"""Which files pass as inspected, and which run code when they are loaded."""

from __future__ import annotations

import bz2
import gzip
import importlib.util
import io
import json
import lzma
import marshal
import pickle
import zipfile
import zlib

import numpy as np
import pytest

from obeya.artifacts.findings import FileWarnings, InspectedFile, findings_of, warnings_of
from tests import model_files as files
from tests.model_files import EXPECTED, UNTRUSTED


class Called:
    def __reduce__(self):
        return len, ("abc",)


PICKLE = pickle.dumps(Called())
ARRAY = np.arange(6.0).reshape(2, 3)


def warnings(contents: dict[str, bytes]) -> FileWarnings:
    return warnings_of(
        InspectedFile(path, len(content), findings_of(io.BytesIO(content), len(content)))
        for path, content in contents.items()
    )


CLEAN = {
    "empty": b"",
    "text": "Größe, 模型\n".encode(),
    "text with a mark": b"\xef\xbb\xbfa;b\n1;2\n",
    "json": b'{"a": [1, 2]}',
    "csv": b"city,population\nparis,2\n",
    "safetensors": files.safetensors(),
    "safetensors without tensors": files.safetensors({}, b""),
    "onnx": files.onnx_model(),
    "gguf": files.gguf({"general.name": "tiny"}),
    "npy": files.npy(ARRAY),
    "npy of texts": files.npy(np.array(["a", "bc"])),
    "npy of times": files.npy(np.array(["2026-01-01"], "datetime64[D]")),
    "npy of records": files.npy(np.zeros(3, [("a", "<f4"), ("b", "<i8", (2, 2))])),
    "npy in another order": files.npy(np.asfortranarray(ARRAY)),
    "npz": files.npz(a=ARRAY, b=ARRAY),
    "zip": files.zipped({"a.txt": b"a" * 999, "b/c.json": b"{}"}),
    "tar": files.tarred({"a.txt": b"text", "w.safetensors": files.safetensors()}),
    "tar.gz": gzip.compress(files.tarred({"a.txt": b"text"})),
    "gzip in two members": gzip.compress(b"one") + gzip.compress(b"two"),
    "bzip2": bz2.compress(b"text"),
    "xz": lzma.compress(b"text"),
    "lzma": lzma.compress(b"text", format=lzma.FORMAT_ALONE),
    "zlib": zlib.compress(b"text"),
    "png": files.png(),
    "jpeg": files.jpeg(),
    "hdf5": (UNTRUSTED / "keras.h5").read_bytes(),
    "keras": files.keras(),
    "sentencepiece": files.sentencepiece(),
}


@pytest.mark.parametrize("content", CLEAN.values(), ids=CLEAN)
def test_a_recognised_file_passes(content):
    assert warnings({"file": content}) == FileWarnings()


# Bytes at the end of text and of raw numbers belong to them; tar and GGUF files end with padding.
@pytest.mark.parametrize(
    ("name", "tail"),
    [
        (name, tail)
        for name in CLEAN
        if not name.startswith(("empty", "text", "json", "csv", "sentence"))
        for tail in (PICKLE, b"\0", b"text", files.zipped({"a": PICKLE}))
        if not (name in ("tar", "gguf") and tail == b"\0")
    ],
)
def test_bytes_at_the_end_are_not_ignored(name, tail):
    assert warnings({"file": CLEAN[name] + tail}).problems


# A part of a text is a text.
@pytest.mark.parametrize(
    "name", [n for n in CLEAN if CLEAN[n] and "text" not in n and n not in ("json", "csv")]
)
def test_a_file_that_breaks_off_does_not_pass(name):
    content = CLEAN[name]
    # A tar archive ends with padding.
    shortened = content[:600] if name == "tar" else content[:-1]
    assert warnings({"file": shortened}).problems


@pytest.mark.parametrize(
    "content",
    [
        b"text\x00",
        b"text\xff",
        "Größe"[:3].encode()[:-1],
        "text".encode("utf-16"),
        b"\x1b[0m",
        bytes(1000),
        b"\x28\xb5\x2f\xfd" + bytes(20),
        b"PAR1" + bytes(20) + b"PAR1",
        b"\x7fELF" + bytes(20),
    ],
)
def test_what_is_not_recognised_does_not_pass(content):
    (problem,) = warnings({"file": content}).problems
    assert problem.startswith("file could not be inspected: its format is not recognised")


def patched(content: bytes, place: int, byte: int) -> bytes:
    return content[:place] + bytes([byte]) + content[place + 1 :]


def test_zip_archives_that_loaders_read_differently_do_not_pass():
    plain = files.zipped({"a.txt": b"text"}, stored=True)
    hidden = files.zipped({"a.txt": PICKLE}, stored=True)
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("a.txt", b"one")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.txt", b"two")
    link = io.BytesIO()
    with zipfile.ZipFile(link, "w") as archive:
        info = zipfile.ZipInfo("a")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, b"/etc/passwd")
    comment = io.BytesIO()
    with zipfile.ZipFile(comment, "w") as archive:
        archive.writestr("a", b"a")
        archive.comment = b"comment"
    for content in (
        hidden[: hidden.index(b"PK\x01\x02")] + plain,
        b"#!/bin/sh\n" + plain,
        twice.getvalue(),
        link.getvalue(),
        comment.getvalue(),
        patched(plain, 30, ord("b")),
        patched(plain, 6, 1),
        patched(patched(plain, 8, 93), plain.index(b"PK\x01\x02") + 10, 93),
        plain[: plain.index(b"PK\x05\x06")],
        # The end of the last tensor is a whole archive.
        files.safetensors(
            {"a": {"dtype": "U8", "shape": [len(hidden)], "data_offsets": [0, len(hidden)]}},
            hidden,
        ),
    ):
        assert warnings({"file": content}).problems, content[:80]


def test_a_valid_format_that_also_loads_as_a_pickle_is_one():
    # The length of the header is an opcode that skips into the header.
    jump = b"U"
    lead = b'{"__metadata__":{"a":"'
    header = lead + b"A" * 300 + b'"}}'
    header = header.ljust(ord("T") + (len(lead) + 4) * 256)[: ord("T") + (len(lead) + 4) * 256]
    content = bytearray(len(header).to_bytes(8, "little") + header)
    assert content[:1] == b"T"
    # BINSTRING with 4 bytes of length skips those bytes; what follows is in a text of the header.
    start = 5 + int.from_bytes(content[1:5], "little")
    code = jump + b"\x01AN0N."
    content[start : start + len(code)] = code
    result = warnings({"model.safetensors": bytes(content)})
    assert "contains a pickle" in result.problems[0]


def test_bounds_say_that_a_file_is_too_large(monkeypatch):
    monkeypatch.setattr("obeya.artifacts.reading.STEPS_MAX", 50)
    many = files.zipped({f"{number}.txt": b"a" for number in range(100)})
    for content in (
        many,
        files.onnx_model(),
        files.gguf({"a": "b"} | {f"{n}": "" for n in "abcdefghijklmn"}),
    ):
        (problem,) = warnings({"file": content}).problems
        assert "could not be inspected: too large" in problem or "too large" in problem


RUNNING = {
    "Lambda layer": files.keras("Lambda"),
    "TorchModuleWrapper layer": files.keras("TorchModuleWrapper"),
    "the object os.system": files.keras("system", module="os"),
    "chat template": files.gguf({"tokenizer.chat_template": "{{ x }}"}),
    "script": b"#!/usr/bin/env python\nprint(1)\n",
    "code that auto_map names": b'{"auto_map": {"AutoModel": "modeling.Net"}}',
    "YAML with Python objects": b"a: !!python/object/apply:os.system [ls]\n",
    "skops objects": b'{"__loader__": "ObjectNode"}',
}


@pytest.mark.parametrize("what", RUNNING)
def test_a_file_that_runs_code_contains_no_pickle(what):
    result = warnings({"file": RUNNING[what]})
    assert result.problems == ()
    assert f"file runs code when loaded: {what}" in result.code[0]


def test_escapes_do_not_hide_what_runs():
    escaped = b'{"\\u0061uto_m\\u0061p": {}}'
    assert "auto_map" in warnings({"config.json": escaped}).code[0]
    lambda_layer = b'{"class_n\\u0061me": "L\\u0061mbda"}'
    assert "Lambda layer" in warnings({"model.json": lambda_layer}).code[0]
    far = b'{"a": "' + b"x" * 200_000 + b'", "auto_map": {}}'
    assert "auto_map" in warnings({"config.json": far}).code[0]


def test_what_runs_and_is_not_read_to_its_end_is_both():
    for content, what in (
        (
            importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(compile("1", "a", "exec")),
            ".pyc",
        ),
        (b"\x08\x01\x12\x04abcd", "TensorFlow SavedModel"),
        (
            files.zipped({"net/code/a.py": b"1", "net/constants.pkl": PICKLE}),
            "TorchScript",
        ),
        ((UNTRUSTED / "14b_lambda.h5").read_bytes(), "Lambda layer"),
    ):
        result = warnings({"file": content})
        assert result.problems, what
        assert what in result.code[0]


@pytest.mark.parametrize("path", ["modeling.py", "run.SH", "a/b.R"])
def test_a_script_is_known_by_its_name(path):
    result = warnings({path: b"print(1)\n"})
    assert result == FileWarnings(code=(f"{path} runs code when loaded: script.",))


@pytest.mark.parametrize(
    "model", [files.mlflow_model(), files.hugging_face_model()], ids=["MLflow", "Hugging Face"]
)
def test_a_model_as_its_library_stores_it_passes(model):
    assert warnings(model) == FileWarnings()
    below = {f"model/{path}": content for path, content in model.items()}
    assert warnings(below) == FileWarnings()


def test_references_that_lead_nowhere_are_errors():
    model = files.mlflow_model()
    del model["conda.yaml"]
    assert warnings(model).problems == (
        "MLmodel refers to conda.yaml, which is not in the artifact.",
    )
    shards = files.hugging_face_model()
    del shards["model-1.safetensors"]
    assert "refers to model-1.safetensors, which is not" in warnings(shards).problems[0]
    for path in ("../weights", "/etc/passwd", "C:\\weights", "s3://b/weights", "a/../../b"):
        (problem,) = warnings({"m.onnx": files.onnx_model(external=path)}).problems
        assert problem == f"m.onnx refers to {path}, which is outside the artifact."


def test_external_data_passes_if_its_tensors_fill_it():
    raw = np.linspace(1, 2, 6, dtype="f4").tobytes()
    for length in (None, 24):
        model = files.onnx_model(external="weights.bin", length=length)
        assert warnings({"a/m.onnx": model, "a/weights.bin": raw}) == FileWarnings()
    (problem,) = warnings({"m.onnx": model, "weights.bin": raw + b"\0"}).problems
    assert problem == "weights.bin could not be inspected: its format is not recognised."
    (problem,) = warnings({"m.onnx": model, "weights.bin": PICKLE}).problems
    assert "weights.bin contains a pickle" in problem


def test_code_that_a_model_of_mlflow_names_is_code():
    for line, what in (
        ("    model_code_path: /home/model.txt\n", "the model from the code /home/model.txt"),
        ("    code: code\n", "files in code"),
        ("    loader_module: mine\n", "the loader mine"),
    ):
        text = f"flavors:\n  python_function:\n{line}".encode()
        result = warnings({"MLmodel": text, "model.txt": b"a", "code/a.txt": b""})
        assert result == FileWarnings(code=(f"MLmodel runs code when loaded: {what}.",))


def test_an_mlmodel_file_that_cannot_be_read_does_not_pass():
    large = files.MLMODEL + b"# " + b"x" * 300_000
    for content in (large, b"flavors: [", b"text", b"{}"):
        (problem,) = warnings({"m/MLmodel": content}).problems
        assert problem == "m/MLmodel could not be inspected: not a valid MLmodel file."
        assert warnings({"README.md": content}) == FileWarnings()


def test_a_script_in_an_archive_is_code():
    result = warnings({"code.zip": files.zipped({"a/b.py": b"print(1)"})})
    assert result == FileWarnings(code=("code.zip runs code when loaded: script in a/b.py.",))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("opaque.h5", "neither numbers nor text"),
        ("vlen.h5", "neither numbers nor text"),
        ("external_link.h5", "it contains a link"),
        ("pickled_attribute.h5", "contains a pickle in TITLE"),
    ],
)
def test_hdf5_that_could_be_unpickled_or_is_elsewhere_does_not_pass(name, reason):
    (problem,) = warnings({"file": (UNTRUSTED / name).read_bytes()}).problems
    assert reason in problem


def test_a_lambda_layer_in_hdf5_is_named():
    result = warnings({"model.h5": (UNTRUSTED / "lambda.h5").read_bytes()})
    assert result == FileWarnings(code=("model.h5 runs code when loaded: Lambda layer.",))


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("is_unpacked", [False, True])
def test_collected_files_get_the_right_warning(name, is_unpacked):
    content = (UNTRUSTED / name).read_bytes()
    if name.endswith(".gz") and is_unpacked:
        content = gzip.decompress(content)
    result = warnings({name: content})
    assert any(EXPECTED[name] in sentence for sentence in (*result.problems, *result.code))


def test_a_column_with_an_ampersand_is_described():
    content = (UNTRUSTED / "18_MLmodel").read_bytes()
    found = findings_of(io.BytesIO(content), len(content))["mlmodel"]
    assert found["inputs"] == [{"name": "R&D Spend", "type": "double"}]
    json.dumps(found)
