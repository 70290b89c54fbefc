"""Small model files in the formats that the inspection of artifacts recognises."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

UNTRUSTED = Path(__file__).parent / "untrusted_files"
PICKLED = "contains a pickle"
NOT_RECOGNISED = "could not be inspected: its format is not recognised"
# A part of the warning about each of the untrusted files.
EXPECTED = {
    "01a_proto0.bin": PICKLED,
    "01b_proto1.bin": PICKLED,
    "03a_odd_module.bin": PICKLED,
    "04_long_line.bin": PICKLED,
    "05_padding.bin.gz": PICKLED,
    "06a_gzip2.joblib": PICKLED,
    "06c_xz.joblib": PICKLED,
    "07_lzma_alone.bin": PICKLED,
    "08a_lz4.bin": NOT_RECOGNISED,
    "08c_zstd.bin": NOT_RECOGNISED,
    "09_v7.tar.bin": PICKLED,
    "12b_nested_pk0708.bin": PICKLED,
    "x4_npy_big_header.npy.gz": PICKLED,
    "x5b_zlib_win.bin": PICKLED,
    "14a_lambda.keras": "runs code when loaded: Lambda layer",
    "14b_lambda.h5": "runs code when loaded: Lambda layer",
    "15a_external_passwd.onnx": "refers to ../../etc/passwd, which is outside the artifact",
    "15b_external_missing.onnx": "refers to weights.bin, which is not in the artifact",
    "16b_overlap.safetensors": "not valid safetensors: ",
    "16c_hole.safetensors": "not valid safetensors: ",
    "16d_shape_big.safetensors": "not valid safetensors: ",
    "16e_shape_str.safetensors": "not valid safetensors: ",
    "18_MLmodel": "refers to model.skops, which is not in the artifact",
}


def safetensors(header: dict | None = None, data: bytes = bytes(4)) -> bytes:
    if header is None:
        header = {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def onnx_model(*, external: str = "", length: int | None = None) -> bytes:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [3, 2], [0.0] * 6)
    if external:
        weights.ClearField("float_data")
        weights.data_location = TensorProto.EXTERNAL
        entries = {"location": external, "offset": "0", "length": length}
        for key, value in entries.items():
            if value is not None:
                weights.external_data.add(key=key, value=str(value))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    if not external:
        onnx.checker.check_model(model)
    return model.SerializeToString()


def gguf(values: dict[str, str], data: bytes = bytes(24)) -> bytes:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    content = b"GGUF" + struct.pack("<IQQ", 3, 1, len(values) + 1)
    # An array of texts, like the tokens of a vocabulary.
    content += text("tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")
    for key, value in values.items():
        content += text(key) + struct.pack("<I", 8) + text(value)
    content += text("w") + struct.pack("<IQQIQ", 2, 3, 2, 0, 0)
    return content + bytes(-len(content) % 32) + data


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def zipped(members: dict[str, bytes], *, stored: bool = False) -> bytes:
    file = io.BytesIO()
    way = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(file, "w", way) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    size = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0\0")
    chunks = chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def jpeg() -> bytes:
    segment = b"\xff\xe0\x00\x04ab"
    scan = b"\xff\xda\x00\x03a" + b"data\xff\x00more\xff\xd0data"
    return b"\xff\xd8" + segment + scan + scan + b"\xff\xd9"


def sentencepiece() -> bytes:
    pieces = b"".join(b"\n\x0b\n\x04word\x15" + struct.pack("<f", -1.5) for _ in range(3))
    return pieces + b"\x12\x02\x18\x01"


def keras(layer: str = "Dense", *, module: str = "keras.layers") -> bytes:
    layers = [{"module": module, "class_name": layer, "config": {}, "registered_name": None}]
    config = {"module": "keras", "class_name": "Sequential", "config": {"layers": layers}}
    return zipped(
        {
            "metadata.json": b'{"keras_version": "3.4.0"}',
            "config.json": json.dumps(config).encode(),
            "model.weights.h5": (UNTRUSTED / "keras.h5").read_bytes(),
        },
        stored=True,
    )


CONDA = b"""channels:
- conda-forge
dependencies:
- python=3.11.7
- pip<=24.0
- pip:
  - mlflow==3.1.0
  - onnx==1.18.0
name: mlflow-env
"""
PYTHON_ENV = (
    b"python: 3.11.7\nbuild_dependencies:\n- pip==24.0\ndependencies:\n- -r requirements.txt\n"
)
REQUIREMENTS = b"mlflow==3.1.0\ncloudpickle==3.1.1\nonnx==1.18.0\n"
MLMODEL = b"""artifact_path: model
flavors:
  onnx:
    code: null
    data: model.onnx
    onnx_version: 1.18.0
    providers:
    - CPUExecutionProvider
  python_function:
    data: model.onnx
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.onnx
    python_version: 3.11.7
mlflow_version: 3.1.0
model_uuid: 7a3c
signature:
  inputs: '[{"type": "double", "name": "R&D Spend", "required": true}]'
  outputs: '[{"type": "double", "required": true}]'
  params: null
"""


def mlflow_model() -> dict[str, bytes]:
    """The files of a model as MLflow's clients store it."""
    return {
        "MLmodel": MLMODEL,
        "conda.yaml": CONDA,
        "python_env.yaml": PYTHON_ENV,
        "requirements.txt": REQUIREMENTS,
        "model.onnx": onnx_model(),
    }


def hugging_face_model() -> dict[str, bytes]:
    """The files of a model as the libraries of Hugging Face store it."""
    index = {"metadata": {"total_size": 8}, "weight_map": {"w": "model-1.safetensors"}}
    return {
        "README.md": "---\nlicense: mit\n---\n# Größe\n".encode(),
        "config.json": b'{\n  "architectures": ["BertModel"],\n  "model_type": "bert"\n}\n',
        "tokenizer.json": json.dumps({"model": {"vocab": {"a": 0}, "merges": []}}).encode(),
        "tokenizer_config.json": b'{"tokenizer_class": "BertTokenizer"}',
        "vocab.txt": b"[PAD]\n[UNK]\ncat\ndog\n",
        "tokenizer.model": sentencepiece(),
        "model.safetensors.index.json": json.dumps(index).encode(),
        "model-1.safetensors": safetensors(),
        "onnx/model.onnx": onnx_model(),
    }
