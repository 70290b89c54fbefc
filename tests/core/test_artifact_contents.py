"""File inspection: what is read from content, without ever executing it."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import tarfile
import zipfile
import zlib

import numpy as np
import onnx
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from obeya.artifacts import reading
from obeya.artifacts.findings import InspectedFile, findings_of, problem_with, warnings_of


class Bomb:
    """An object that creates a directory when it is unpickled."""

    def __init__(self, canary):
        self.canary = str(canary)

    def __reduce__(self):
        return os.mkdir, (self.canary,)


def found(content: bytes) -> dict:
    return findings_of(io.BytesIO(content), len(content))


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def object_array(bomb: object) -> bytes:
    file = io.BytesIO()
    array = np.empty(1, dtype=object)
    array[0] = bomb
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


HIDDEN = {
    "as it is": pickle.dumps,
    "gzip": lambda bomb: gzip.compress(pickle.dumps(bomb)),
    "bzip2": lambda bomb: bz2.compress(pickle.dumps(bomb)),
    "xz": lambda bomb: lzma.compress(pickle.dumps(bomb)),
    "lzma": lambda bomb: lzma.compress(pickle.dumps(bomb), format=lzma.FORMAT_ALONE),
    "zlib": lambda bomb: zlib.compress(pickle.dumps(bomb)),
    "zip": lambda bomb: zipped(**{"archive/data.pkl": pickle.dumps(bomb)}),
    "tar": lambda bomb: tarred("weights.dat", pickle.dumps(bomb)),
    "tar.gz": lambda bomb: gzip.compress(tarred("weights.dat", pickle.dumps(bomb))),
    "zip in zip": lambda bomb: zipped(**{"a.zip": zipped(b=pickle.dumps(bomb))}),
    "zip behind other bytes": lambda bomb: b"#!/bin/sh\n" + zipped(x=pickle.dumps(bomb)),
    "array of objects": object_array,
    "second of two": lambda bomb: pickle.dumps(1) + pickle.dumps(bomb),
    "broken off": lambda bomb: pickle.dumps(bomb)[:-1],
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_of_any_protocol_is_detected_with_its_imports(tmp_path, protocol):
    content = pickle.dumps(Bomb(tmp_path / "canary"), protocol)
    assert found(content)["pickles"][0]["imports"] == [f"{os.name}.mkdir"]
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("hide", HIDDEN.values(), ids=HIDDEN)
def test_a_packed_pickle_is_detected_and_never_loaded(tmp_path, hide):
    content = hide(Bomb(tmp_path / "canary"))
    said = problem_with("weights.safetensors", found(content))
    assert "weights.safetensors contains a pickle" in said
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None]}, np.arange(20_000), [b"x" * 100_000] * 3])
def test_a_pickle_without_calls_is_detected(value):
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert "pickles" in found(pickle.dumps(value, protocol))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"class Name\nother line\nReturn",
        b"channels:\n- conda-forge\ndependencies:\n- python=3.11\n",
        b"cat\ndog\nhorse\n",
        b"import os\n\nprint(1)\n",
        b"a,b\n1,2\n",
        json.dumps({"layers": [1, 2]}).encode(),
        zipped(**{"a.txt": b"text", "b.npy": b"no array"}),
    ],
)
def test_text_is_not_taken_for_a_pickle(content):
    assert problem_with("a", found(content)) == ""


@pytest.mark.parametrize("content", [b"\x80", b"\x80\x04", b"\x80\x09abc.", bytes(100)])
def test_other_bytes_are_not_recognised(content):
    sentence = "a could not be inspected: its format is not recognised."
    assert problem_with("a", found(content)) == sentence


@pytest.mark.parametrize(
    "content",
    [
        b"N.",
        b"S'text'\n.",
        b"Vtext\n.",
        b"I1\n.",
        b"(I1\nI2\nl.",
        b"cos\nsystem\n(S'true'\ntR.",
        b"cos\nsystem\n(S'true'\ntRbroken",
        b"(S'true'\nios\nsystem\n.",
        b"cantigravity\nx\nbroken",
        "Vé\n0cos\nsystem\n(S'true'\ntR.".encode(),
    ],
)
def test_text_that_loads_as_a_pickle_is_one(content):
    assert "contains a pickle" in problem_with("a.txt", found(content))


@given(st.binary(max_size=400))
def test_any_bytes_can_be_inspected(content):
    json.dumps(found(content), allow_nan=False)
    json.dumps(found(b"\x80\x04" + content), allow_nan=False)
    json.dumps(found(b"\x08\x07" + content), allow_nan=False)


def test_an_archive_over_the_inspection_limit_is_reported(monkeypatch):
    monkeypatch.setattr(reading, "UNPACKED_MAX", 1_000_000)
    bomb = b"\x80\x04" + b"\x8e" + (10**9).to_bytes(8, "little") + bytes(50_000_000)
    for packed in (gzip.compress(bomb), zipped(a=bomb)):
        assert len(packed) < 100_000
        assert "too large (it unpacks to more" in problem_with("a", found(packed))


def test_deeply_nested_or_broken_archives_are_reported():
    nested = pickle.dumps([1, 2, 3])
    for _ in range(6):
        nested = gzip.compress(nested)
    assert "nested" in problem_with("a", found(nested))
    broken = bytearray(zipped(a=os.urandom(50_000)))
    broken[:4] = b"gone"
    assert "contradict" in problem_with("a", found(bytes(broken)))


def safetensors(header: dict, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_safetensors_are_detected_by_their_header():
    header = {
        "__metadata__": {"format": "pt"},
        "b": {"dtype": "F32", "shape": [2, 3], "data_offsets": [8, 32]},
        "a": {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]},
        "scalar": {"dtype": "I8", "shape": [], "data_offsets": [32, 33]},
    }
    result = found(safetensors(header, bytes(33)))
    assert problem_with("a", result) == ""
    told = result["safetensors"]
    assert [tensor["name"] for tensor in told["tensors"]] == ["a", "b", "scalar"]
    assert told["parameters"] == 4 + 6 + 1
    assert told["tensor_count"] == 3
    assert told["metadata"] == {"format": "pt"}


@pytest.mark.parametrize(
    "tensor",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 99]},
        {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [1e400], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [1000, 1000], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": ["2"], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [True, 2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]},
        {"dtype": "X32", "shape": [2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": "x", "data_offsets": [0, 8]},
        {"dtype": "F32"},
        7,
    ],
)
def test_a_header_that_the_reference_library_refuses_is_named(tensor):
    result = found(safetensors({"a": tensor}, bytes(8)))
    assert "safetensors" not in result
    assert "not valid safetensors: " in problem_with("a", result)


def test_safetensors_with_overlaps_duplicates_or_bytes_at_the_end_are_named():
    one = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    twice = json.dumps({"a": one})[:-1] + ', "a": ' + json.dumps(one) + "}"
    for content in (
        safetensors({"a": one, "b": one}, bytes(4)),
        safetensors({"a": one}, bytes(5)),
        safetensors({"a": one}, bytes(3)),
        safetensors({"a": one, "__metadata__": {"a": 1}}, bytes(4)),
        len(twice).to_bytes(8, "little") + twice.encode() + bytes(4),
    ):
        assert "not valid safetensors: " in problem_with("a", found(content))


def test_an_mlmodel_file_is_described_with_flavours_and_signature():
    document = {
        "flavors": {
            "python_function": {"loader_module": "mlflow.sklearn", "python_version": "3.11.2"},
            "sklearn": {"pickled_model": "model.pkl", "sklearn_version": "1.6.1"},
        },
        "mlflow_version": "3.1.0",
        "run_id": "a1",
        "signature": {
            "inputs": json.dumps([{"type": "double", "name": "age", "required": True}]),
            "outputs": json.dumps(
                [{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1, 3]}}]
            ),
            "params": None,
        },
    }
    result = found(yaml.safe_dump(document).encode())
    assert result["references"] == [{"path": "model.pkl", "covers": None}]
    told = result["mlmodel"]
    assert told["flavors"] == [
        {"name": "python_function", "version": "3.11.2"},
        {"name": "sklearn", "version": "1.6.1"},
    ]
    assert told["inputs"] == [{"name": "age", "type": "double"}]
    assert told["outputs"] == [{"name": "", "type": "int64 -1 × 3"}]
    assert told["params"] is None
    assert told["run_id"] == "a1"


def test_dangerous_yaml_is_not_described():
    for content in (
        b"flavors: !!python/object/apply:os.mkdir [/tmp/canary]",
        b"flavors:\n  a: &a [x,x]\n  b: &b [*a,*a]\n",
        b"flavors: " + b"[" * 50_000,
    ):
        assert "mlmodel" not in found(content)


def onnx_model(*, weights_as_inputs: bool = False) -> bytes:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [3, 2], [0.0] * 6)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])]
    if weights_as_inputs:
        inputs.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 2]))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "net",
        inputs,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
        [weights],
    )
    model = helper.make_model(
        graph, producer_name="tests", opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.mark.parametrize("weights_as_inputs", [False, True])
def test_an_onnx_model_is_described_with_inputs_and_outputs(weights_as_inputs):
    assert found(onnx_model(weights_as_inputs=weights_as_inputs))["onnx"] == {
        "inputs": [{"name": "x", "type": "float32 batch × 3"}],
        "outputs": [{"name": "y", "type": "float32 batch × 2"}],
        "opset": 17,
        "ir_version": 8,
        "producer": "tests",
    }


def test_a_truncated_onnx_model_is_not_described():
    content = onnx_model()
    for length in range(2, len(content) - 1, 7):
        assert "onnx" not in found(content[:length])


def test_at_most_a_hundred_files_are_named():
    findings = found(pickle.dumps([1, 2, 3]))
    files = [InspectedFile(f"{number}.bin", 9, findings) for number in range(250)]
    sentences = warnings_of(files).problems
    assert len(sentences) == 100
    assert sentences[-1] == "151 more warnings are not shown."
