"""Client of an MLflow server: its registered models, their versions, and the metrics of runs.

Uses only GET requests of MLflow's REST API
(https://mlflow.org/docs/latest/api_reference/rest-api.html), so that mlflow is not needed.
Everything from the server is treated as text and numbers; no address in it is opened.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit, urlunsplit

import urllib3
from urllib3.exceptions import HTTPError

from obeya import names
from obeya.errors import InvalidInput, NotFound, NotSignedIn, Unreachable
from obeya.values import METRICS_AT_ONCE_MAX

REGISTRY_API = "/api/2.0/mlflow"
FILES_API = "/api/2.0/mlflow-artifacts"
FILES = "artifacts"
PIECE = 1024 * 1024
ANSWER_MAX = 64 * 1024 * 1024
PAGE = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_MODEL_ID = re.compile(r"m-[0-9a-zA-Z]{1,64}\Z")
_TRY_AGAIN = (429, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials for a server: a token, or a name and a password; none if both are empty."""

    token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)

    def headers(self) -> dict[str, str]:
        """Return the Authorization header."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self.username or self.password:
            return urllib3.make_headers(basic_auth=f"{self.username}:{self.password}")
        return {}


@dataclass(frozen=True, slots=True)
class SourceVersion:
    """A version in an MLflow registry; `stage` is MLflow's name of the stage."""

    number: int
    stage: str
    created_at: datetime
    updated_at: datetime
    source: str
    run_id: str
    run_link: str
    model_id: str
    description: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SourceModel:
    """A registered model in an MLflow registry; `aliases` are version numbers by alias."""

    name: str
    created_at: datetime
    description: str
    tags: Mapping[str, str]
    aliases: Mapping[str, int]


def _address(uri: str) -> SplitResult | None:
    """Return the parts of an http address, or None."""
    try:
        parts = urlsplit(uri.strip())
        # Reading the port validates it.
        is_one = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if is_one else None


class MlflowServer:
    """A server with MLflow's REST API.

    Redirects are not followed: the credentials are sent to one host only.

    Raises:
        InvalidInput: the address is not that of a server.
    """

    def __init__(
        self,
        uri: str,
        credentials: Credentials | None = None,
        *,
        seconds: float = 30.0,
        attempts: int = 4,
    ) -> None:
        parts = _address(uri)
        if parts is None:
            raise InvalidInput(
                f"“{uri[:128]}” is not the address of a server. For a store in a database or "
                "in files, run mlflow server --backend-store-uri … and use its address.",
                field="uri",
            )
        if parts.username or parts.password or parts.query or parts.fragment:
            raise InvalidInput(
                "The address of an MLflow server cannot contain a name, password or query. "
                "Use MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.",
                field="uri",
            )
        self.address = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        self._headers = {"Accept": "application/json", "User-Agent": "obeya"}
        self._headers |= (credentials or Credentials()).headers()
        retries = urllib3.Retry(
            total=attempts - 1,
            redirect=False,
            backoff_factor=0.2,
            status_forcelist=_TRY_AGAIN,
            raise_on_status=False,
            raise_on_redirect=False,
        )
        self._pool = urllib3.PoolManager(
            retries=retries, timeout=urllib3.Timeout(connect=min(5.0, seconds), read=seconds)
        )

    def models(self) -> Iterator[str]:
        """Yield the names of the registered models, without MLflow's prompts."""
        for row in self._pages("registered-models/search", "registered_models", {}):
            yield _text(row, "name")

    def model(self, name: str) -> SourceModel:
        """Return a registered model. Raises `NotFound`."""
        row = self._get("registered-models/get", {"name": name}).get("registered_model")
        if not isinstance(row, Mapping):
            raise self._unreadable("registered-models/get")
        return SourceModel(
            name=_text(row, "name"),
            created_at=_time(row, "creation_timestamp"),
            description=_text(row, "description"),
            tags=_tags(row),
            aliases={
                _text(alias, "alias"): _whole(alias.get("version"))
                for alias in _rows(row, "aliases")
            },
        )

    def versions(self, name: str) -> Iterator[SourceVersion]:
        """Yield the versions of a model, by number.

        Raises:
            InvalidInput: the name contains both kinds of quotes, which MLflow filters cannot
                express.
        """
        quote = "'" if "'" not in name else '"'
        if quote in name:
            raise InvalidInput(
                f"MLflow cannot search for “{name[:64]}”, which has both kinds of quotes.",
                field="name",
            )
        asked = {"filter": f"name={quote}{name}{quote}", "order_by": "version_number ASC"}
        for row in self._pages("model-versions/search", "model_versions", asked):
            yield SourceVersion(
                number=_whole(row.get("version")),
                stage=_text(row, "current_stage") or "None",
                created_at=_time(row, "creation_timestamp"),
                updated_at=_time(row, "last_updated_timestamp"),
                source=_text(row, "source"),
                run_id=_text(row, "run_id"),
                run_link=_text(row, "run_link"),
                model_id=_text(row, "model_id"),
                description=_text(row, "description"),
                tags=_tags(row),
            )

    def download_uri(self, name: str, number: int) -> str:
        """Return the location of the files of a version. Raises `NotFound`."""
        asked = {"name": name, "version": str(number)}
        return _text(self._get("model-versions/get-download-uri", asked), "artifact_uri")

    def run_of_model(self, model_id: str) -> str:
        """Return the run that logged a model of MLflow 3, "" if there is none.

        Raises `NotFound`.
        """
        if not _MODEL_ID.match(model_id):
            raise NotFound(f"“{model_id[:64]}” is not the id of a logged model.", what="run")
        return _told(self._get(f"logged-models/{model_id}", {}), "model", "source_run_id")

    def folder_of_model(self, model_id: str) -> str:
        """Return the location of a logged model's files in MLflow 3, "" if not stated.

        Raises `NotFound`.
        """
        if not _MODEL_ID.match(model_id):
            raise NotFound(f"“{model_id[:64]}” is not the id of a logged model.", what="run")
        return _told(self._get(f"logged-models/{model_id}", {}), "model", "artifact_uri")

    def folder_of_run(self, run_id: str) -> str:
        """Return the location of a run's files, "" if not stated. Raises `NotFound`."""
        return _told(self._get("runs/get", {"run_id": run_id}), "run", "artifact_uri")

    def listed_files(self, folder: str) -> list[tuple[str, int | None]]:
        """Return the names in a folder on the server, with sizes in bytes; None for a folder."""
        page = self._get(FILES, {"path": folder}, api=FILES_API)
        return [
            (_text(row, "path"), None if row.get("is_dir") else _whole(row.get("file_size")))
            for row in _rows(page, "files")
        ]

    @contextmanager
    def file_content(self, path: str) -> Iterator[Iterator[bytes]]:
        """Yield the content of a file on the server, in pieces.

        Raises:
            Unreachable: there was no response, or it was incomplete.
        """
        address = f"{self.address}{FILES_API}/{FILES}/{quote(path)}"
        try:
            response = self._pool.request(
                "GET",
                address,
                headers={**self._headers, "Accept": "*/*", "Accept-Encoding": "identity"},
                redirect=False,
                preload_content=False,
            )
            try:
                if response.status != 200:
                    raise Unreachable(f"{address} returned status {response.status}.")
                yield response.stream(PIECE, decode_content=False)
            finally:
                response.release_conn()
        except (HTTPError, OSError) as error:
            raise Unreachable(
                f"The connection to {self.address} was interrupted: {_reason(error)}."
            ) from None

    def run_metrics(self, run_id: str) -> dict[str, float]:
        """Return the last value of each metric of a run, up to the limit of metrics per version.

        Values that are not finite and metrics with invalid names are left out.

        Raises:
            NotFound: there is no such run.
        """
        run = self._get("runs/get", {"run_id": run_id}).get("run")
        data = run.get("data") if isinstance(run, Mapping) else None
        found: dict[str, float] = {}
        for row in _rows(data, "metrics") if isinstance(data, Mapping) else ():
            try:
                value = float(row.get("value"))  # type: ignore[arg-type]  # a wrong type raises
            except (TypeError, ValueError):
                continue
            name = _text(row, "key")
            # MLflow's databases store an infinite value as the largest finite one.
            if math.isfinite(value) and abs(value) < sys.float_info.max and _is_metric_name(name):
                found[name] = value
        return dict(islice(found.items(), METRICS_AT_ONCE_MAX))

    def _pages(
        self, endpoint: str, member: str, asked: Mapping[str, str]
    ) -> Iterator[Mapping[str, Any]]:
        token, seen = "", set[str]()
        while True:
            more = {"page_token": token} if token else {}
            page = self._get(endpoint, {"max_results": str(PAGE), **asked, **more})
            yield from _rows(page, member)
            token = _text(page, "next_page_token")
            if not token:
                return
            if token in seen:
                raise self._unreadable(endpoint)
            seen.add(token)

    def _get(
        self, endpoint: str, asked: Mapping[str, str], *, api: str = REGISTRY_API
    ) -> Mapping[str, Any]:
        address = f"{self.address}{api}/{endpoint}"
        try:
            response = self._pool.request(
                "GET",
                f"{address}?{urlencode(asked)}" if asked else address,
                headers=self._headers,
                redirect=False,
                preload_content=False,
            )
            try:
                answer = response.read(ANSWER_MAX + 1, decode_content=True)
            finally:
                response.release_conn()
        except (HTTPError, OSError) as error:
            raise Unreachable(f"{self.address} cannot be reached: {_reason(error)}.") from None
        return self._read(response.status, answer, endpoint)

    def _read(self, status: int, answer: bytes, endpoint: str) -> Mapping[str, Any]:
        try:
            document = json.loads(answer) if len(answer) <= ANSWER_MAX else None
        except (ValueError, RecursionError):
            document = None
        said = _text(document, "message")[:256] if isinstance(document, Mapping) else ""
        if status in (401, 403):
            raise NotSignedIn(
                f"{self.address} refused the credentials ({status}). Set MLFLOW_TRACKING_TOKEN, "
                "or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."
            )
        if status == 404 and said:
            raise NotFound(said, what="run")
        if status != 200 or not isinstance(document, Mapping):
            raise self._unreadable(endpoint, f": status {status}" + (f", {said}" if said else ""))
        return document

    def _unreadable(self, endpoint: str, how: str = "") -> Unreachable:
        return Unreachable(
            f"The response of {self.address} to {endpoint} is not that of an MLflow server{how}."
        )


def _rows(document: Mapping[str, Any], member: str) -> list[Mapping[str, Any]]:
    rows = document.get(member)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _text(document: Mapping[str, Any], member: str) -> str:
    value = document.get(member)
    return value if isinstance(value, str) else ""


def _told(document: Mapping[str, Any], member: str, what: str) -> str:
    """Return a text from the ``info`` of a member of a response."""
    inner = document.get(member)
    info = inner.get("info") if isinstance(inner, Mapping) else None
    return _text(info, what) if isinstance(info, Mapping) else ""


def _tags(document: Mapping[str, Any]) -> dict[str, str]:
    return {_text(tag, "key"): _text(tag, "value") for tag in _rows(document, "tags")}


def _whole(value: object) -> int:
    """Return an integer, which the protocol can write as text; 0 for anything else."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _time(document: Mapping[str, Any], member: str) -> datetime:
    return _EPOCH + timedelta(milliseconds=min(_whole(document.get(member)), _LATEST))


def _is_metric_name(text: str) -> bool:
    try:
        return names.metric_name(text) == text
    except InvalidInput:
        return False


def _reason(error: Exception) -> str:
    text = str(getattr(error, "reason", None) or error)
    return text.rpartition(": ")[2].rstrip(".") or type(error).__name__
