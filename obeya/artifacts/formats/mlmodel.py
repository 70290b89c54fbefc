"""Reader of ``MLmodel`` files: MLflow's description of a logged model, in YAML.

The format: https://mlflow.org/docs/latest/ml/model/#mlmodel-file-format
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from obeya.artifacts.reading import Reference, Report, Source

SIZE_MAX = 256 * 1024
_SHOWN = 250
_COLUMNS_SHOWN = 200
_NULL = "tag:yaml.org,2002:null"
_TAGS = (_NULL, *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")), None)
_CONSTRUCTORS = {
    tag: construct for tag, construct in yaml.SafeLoader.yaml_constructors.items() if tag in _TAGS
}
_RESOLVERS = {
    first: [each for each in resolvers if each[0] == _NULL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

# Members of a flavor, and of other parts of the document, whose value is a file or folder.
_PATHS = frozenset(
    {
        "artifact_path",
        "code",
        "code_path",
        "conda",
        "data",
        "model_binary",
        "model_code_path",
        "model_data",
        "model_path",
        "path",
        "pickled_model",
        "python_model",
        "virtualenv",
    }
)
_CODE = {"code": "files in", "code_path": "files in", "model_code_path": "the model from the code"}
_REFERENCES_MAX = 1_000


def read_mlmodel(source: Source, report: Report) -> None:
    """Report the description of the model, if the file is an MLmodel file.

    ``{"flavors": [{"name", "version"}...], "inputs", "outputs", "params", "run_id", "model_id",
    "mlflow_version"}``. The parts of the signature are lists of ``{"name", "type"}``, None if it
    does not have the part.
    """
    try:
        # Not the C loader: deep nesting crashes it, and with it the server.
        document = yaml.load(source.read_at(0, SIZE_MAX), Loader=_Plain)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError):
        return
    if not isinstance(document, dict) or not isinstance(document.get("flavors"), dict):
        return
    report.format = "MLmodel"
    signature = document.get("signature")
    signature = signature if isinstance(signature, dict) else {}
    report.details["mlmodel"] = {
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
    for flavor in document["flavors"].values():
        _read_paths(flavor, report)
    _read_paths(document.get("saved_input_example_info"), report)


class _Plain(yaml.SafeLoader):
    """A loader of texts, sequences, mappings and nulls; other tags are errors.

    It refuses aliases: with them a small file could expand to a huge document.
    """

    yaml_implicit_resolvers = _RESOLVERS
    yaml_constructors = _CONSTRUCTORS

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)


def _read_paths(part: Any, report: Report) -> None:
    """Report the files and folders that a flavor refers to, and which of them are code."""
    if isinstance(part, list):
        for item in part:
            _read_paths(item, report)
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        if key == "loader_module" and not str(value).startswith("mlflow."):
            report.runs(f"the loader {_text(value)}")
        if key in _PATHS and isinstance(value, str):
            if key in _CODE:
                report.runs(f"{_CODE[key]} {_text(value)}")
            # MLflow writes where the code was, and loads a file of the same name.
            path = value.rpartition("/")[2] if key == "model_code_path" else value
            if len(report.references) < _REFERENCES_MAX:
                report.references.append(Reference(path[:_SHOWN]))
        else:
            _read_paths(value, report)


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
