"""Types common to several schemas."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from ninja import Path, Schema
from pydantic import ConfigDict, Field

from obeya import names
from obeya.values import NUMBER_MAX

T = TypeVar("T")

StageName = Literal["development", "staging", "production", "archived"]
GatedStage = Literal["staging", "production"]
LimitedStage = Literal["development", "staging", "production"]
VersionNumber = Annotated[int, Field(ge=1, le=NUMBER_MAX)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
MetricPath = Annotated[str, Path(), Field(min_length=1, max_length=names.METRIC_NAME_MAX)]
RequestStatus = Literal["open", "completed", "rejected", "withdrawn", "expired"]
Reason = Annotated[str, Field(max_length=names.REASON_MAX)]
Similar = Annotated[bool, Field(description="Allow a new name that looks like an existing one.")]
ComparisonSign = Literal[">", ">=", "<", "<=", "="]


class Body(Schema):
    """A request body. Unknown members and other types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Page(Schema, Generic[T]):
    """A page of a list. `next` is the cursor of the following page, null on the last page."""

    items: list[T]
    next: str | None


class Items(Schema, Generic[T]):
    """A complete list."""

    items: list[T]


class Index(Schema):
    """The version of Obeya, and the URLs of the reference page and of the OpenAPI document."""

    version: str
    documentation: str
    openapi: str


class Problem(Schema):
    """An error (RFC 9457). Other members depend on `code`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
