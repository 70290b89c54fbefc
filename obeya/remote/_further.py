"""What a server can do beyond the contract that every registry keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from obeya import names
from obeya.documents.catalog import model_from_document, version_from_document
from obeya.documents.governance import guardrail_from_document, waiver_from_document
from obeya.documents.imports import import_report_from_document, imported_model_document
from obeya.documents.policies import policy_from_document
from obeya.documents.verdicts import verdict_from_document
from obeya.imports import ImportedModel, ImportReport
from obeya.policy.policy import PromotionPolicy
from obeya.policy.results import Verdict
from obeya.policy.waivers import Waiver
from obeya.records import ModelVersion, RegisteredModel, VersionDraft
from obeya.remote._requests import (
    draft_body,
    existing,
    model_path,
    owner_path,
    stage_value,
    version_path,
)
from obeya.remote.transport import PAGE, Transport
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail


class FurtherOperations:
    """Lists over all models, bulk registration, stored checks, and the rest of the API."""

    _api: Transport

    def list_models(self, words: str = "") -> Iterator[RegisteredModel]:
        """The registered models by name, those whose names hold all the words."""
        return map(model_from_document, self._api.pages("models", q=words or None))

    def get_model(self, name: str) -> RegisteredModel:
        """A registered model as it stands. Raises `NotFound`."""
        return model_from_document(self._api.get(*model_path(name)))

    def search_versions(
        self,
        where: str = "",
        *,
        model: str | None = None,
        order_by: str = "",
        page_size: int = PAGE,
    ) -> Iterator[ModelVersion]:
        """The versions that a filter lets through, of one model or of all; the newest first.

        They are fetched page by page as they are asked for.
        docs/filters.md says how filters and orders are written.

        Raises:
            InvalidInput: the filter or the order cannot be read.
        """
        owner = () if model is None else model_path(model)
        found = self._api.pages(
            *owner,
            "versions",
            filter=where or None,
            order_by=order_by or None,
            limit=page_size,
        )
        return map(version_from_document, found)

    def get_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """The version that an alias points at. Raises `NotFound`."""
        return version_from_document(
            self._api.get(*model_path(name), "aliases", existing(names.alias, alias, "alias"))
        )

    def register_versions(
        self, drafts: Sequence[VersionDraft], *, key: str = ""
    ) -> list[ModelVersion]:
        """Register 1 to 1,000 versions, of one model or of several: all of them or none.

        What was registered under a `key` of the caller's own is not registered again under it
        within a week: the answer is then that of the first time.

        Raises:
            AlreadyExists: a number or a label is taken.
        """
        body = {"versions": [draft_body(draft) for draft in drafts]}
        found = self._api.send("POST", ("versions",), body=body, key=key)
        return [version_from_document(document) for document in found["items"]]

    def import_model(self, imported: ImportedModel) -> ImportReport:
        """Bring in a model and up to 500 of its versions as they stand in another registry.

        What is there already stays as it is. It takes a token with the scope admin.
        """
        found = self._api.post("imports", body=imported_model_document(imported))
        return import_report_from_document(found)

    def store_check(
        self, name: str, version: int, to_stage: Stage | None = None
    ) -> tuple[str, Verdict]:
        """Judge a version by its policy and keep the verdict: the check's id and the verdict."""
        path = (*version_path(name, version), "checks")
        stored = self._api.post(*path, body={"to_stage": stage_value(to_stage)})
        return str(stored["id"]), verdict_from_document(stored["verdict"])

    def get_policies(self) -> list[tuple[str | None, int, PromotionPolicy]]:
        """The policies in force: whose (None: the site's), which revision, and what they ask."""
        return [
            (row["model"], row["revision"], policy_from_document(row["policy"]))
            for row in self._api.get("policies")["items"]
        ]

    def replace_policy(self, policy: PromotionPolicy, name: str | None, revision: int) -> int:
        """`set_policy`, if the policy in force still is of that revision (0: there is none).

        Raises:
            Conflict: it is not.
        """
        stage = policy.stage.value if policy.stage else ""
        document = self._api.send(
            "PUT",
            (*owner_path(name), "policies", stage),
            body=policy.to_document(),
            if_match=revision,
        )
        return int(document["revision"])

    def simulate_policy(self, policy: PromotionPolicy, name: str | None = None) -> dict[str, Any]:
        """What a policy would do, to versions and past promotions, as the API says it."""
        body = {"policy": policy.to_document(), "model": name}
        found: dict[str, Any] = self._api.post("policy-simulations", body=body)
        return found

    def get_guardrails(self, name: str) -> list[Guardrail]:
        """The guardrails of a model, by metric."""
        found = self._api.get(*model_path(name), "guardrails")
        return [guardrail_from_document(document) for document in found["items"]]

    def get_waivers(self, name: str, version: int) -> list[Waiver]:
        """The waivers of a version, the oldest first."""
        found = self._api.get(*version_path(name, version), "waivers")
        return [waiver_from_document(document) for document in found["items"]]

    def revoke_waiver(self, waiver_id: str, *, reason: str = "") -> Waiver:
        """Take a waiver back before it expires.

        Raises:
            AlreadyClosed: it was revoked or has expired.
        """
        found = self._api.post("waivers", waiver_id, "revocation", body={"reason": reason})
        return waiver_from_document(found)

    def audit_events(self, **chosen: str) -> Iterator[dict[str, Any]]:
        """Events of the audit log, the newest first, each in the form of the export.

        `chosen` are ``model``, ``version``, ``actor``, ``action``, ``stage``, ``channel``,
        ``since`` and ``until``.
        """
        return self._api.pages("audit", "events", **chosen)

    def me(self) -> dict[str, Any]:
        """Whom the token stands for, what it is, and what it may do."""
        found: dict[str, Any] = self._api.get("me")
        return found
