"""Reader of ``MLmodel`` files: MLflow's description of a logged model, in YAML.

The format: https://mlflow.org/docs/latest/ml/model/#mlmodel-file-format
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import yaml

SIZE_MAX = 256 * 1024
_SHOWN = 250
_COLUMNS_SHOWN = 200
_ALIASES_MAX = 100


def read_mlmodel(file: BinaryIO, size: int) -> dict[str, Any] | None:
    """Return the description of the model, None if the file is not an MLmodel file.

    ``{"flavors": [{"name", "version"}...], "inputs", "outputs", "params", "run_id", "model_id",
    "mlflow_version"}``. The parts of the signature are lists of ``{"name", "type"}``, None if it
    does not have the part.
    """
    if not 0 < size <= SIZE_MAX:
        return None
    file.seek(0)
    content = file.read(SIZE_MAX)
    # With YAML aliases a small file could expand to a huge document.
    if b"flavors:" not in content or content.count(b"*") > _ALIASES_MAX or b"&" in content:
        return None
    try:
        # Not the C loader: deep nesting crashes it, and with it the server.
        document = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("flavors"), dict):
        return None
    signature = document.get("signature")
    signature = signature if isinstance(signature, dict) else {}
    return {
        "flavors": [
            {"name": _text(name), "version": _version(name, given)}
            for name, given in list(document["flavors"].items())[:50]
        ],
        "inputs": _columns(signature.get("inputs")),
        "outputs": _columns(signature.get("outputs")),
        "params": _columns(signature.get("params")),
        "run_id": _text(document.get("run_id")),
        "model_id": _text(document.get("model_id")),
        "mlflow_version": _text(document.get("mlflow_version")),
    }


def _version(flavor: object, given: object) -> str:
    """Return the version of a flavor's library.

    A flavor has it as ``sklearn_version``, for example, among other members.
    """
    if not isinstance(given, dict):
        return ""
    for key in (f"{flavor}_version", "version", "python_version"):
        if key in given:
            return _text(given[key])
    return next((_text(v) for k, v in given.items() if str(k).endswith("_version")), "")


def _columns(text: object) -> list[dict[str, str]] | None:
    """Return the columns of one part of a signature, which is JSON within the YAML."""
    if not isinstance(text, str):
        return None
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, list):
        return None
    return [
        {"name": _text(column.get("name")), "type": _type(column)}
        for column in given[:_COLUMNS_SHOWN]
        if isinstance(column, dict)
    ]


def _type(column: dict[str, Any]) -> str:
    spec = column.get("tensor-spec")
    if isinstance(spec, dict):
        shape = spec.get("shape")
        shown = " × ".join(map(str, shape)) if isinstance(shape, list) else ""
        return _text(f"{spec.get('dtype', 'tensor')} {shown}".strip())
    optional = " (optional)" if column.get("required") is False else ""
    return _text(column.get("type")) + optional


def _text(value: object) -> str:
    return "" if value is None else str(value)[:_SHOWN]
