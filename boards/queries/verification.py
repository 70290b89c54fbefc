"""Verifying the audit log in the database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.db.models import Subquery

from boards import models
from obeya import audit
from obeya.audit import BrokenLink, Link, first_broken_link


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """How many chains and events were recomputed, and the first broken link of each bad chain."""

    chains: int
    events: int
    broken: tuple[BrokenLink, ...]


def verify_chains() -> VerificationReport:
    """Recompute every chain, compare each text with its row's columns and each head with its end.

    Reads the whole log once, in the order of the chains; memory does not grow with its length.
    A chain's head is read in the same statement as its events, so that what is written meanwhile
    is not taken for a break.
    """
    heads = {
        row.pk: (str(row.uid), (row.chain_length, row.chain_hash))
        for row in models.RegisteredModel.objects.only("uid", "chain_length", "chain_hash")
    }
    site = models.SiteChain.objects.first()
    broken: list[BrokenLink] = []
    events = 0
    seen: set[int | None] = set()

    for (model_id, chain, head), rows in groupby(_events(), key=_place):
        seen.add(model_id)
        counted = _Counted(chain, rows)
        problem = first_broken_link(chain, counted, head=head)
        for _ in counted:
            pass
        events += counted.count
        problem = min(
            (link for link in (problem, counted.mismatch) if link is not None),
            key=lambda link: link.sequence,
            default=None,
        )
        if problem is not None:
            broken.append(problem)
    for model_id, (chain, head) in heads.items():
        if model_id not in seen and head != (0, audit.GENESIS):
            broken.append(BrokenLink(chain, 1, f"missing; its head says {head[0]} events."))
    if site is not None and None not in seen and site.chain_length:
        broken.append(
            BrokenLink(str(site.uid), 1, f"missing; its head says {site.chain_length} events.")
        )
    return VerificationReport(len(seen), events, tuple(broken))


class _Counted:
    """The links of one chain, counted, with each row's columns compared as they pass."""

    def __init__(self, chain: str, rows: Iterator[models.AuditEvent]) -> None:
        self._chain = chain
        self._rows = rows
        self.count = 0
        self.mismatch: BrokenLink | None = None

    def __iter__(self) -> Iterator[Link]:
        for row in self._rows:
            self.count += 1
            column = _differing_column(row)
            if column and self.mismatch is None:
                self.mismatch = BrokenLink(
                    self._chain,
                    row.sequence,
                    f"its column {column} does not say what was hashed.",
                )
            yield Link(row.sequence, row.canonical_text, row.hash)


def _events() -> Iterator[models.AuditEvent]:
    return (
        models.AuditEvent.objects.select_related("model", "version", "actor")
        .prefetch_related("texts")
        .annotate(
            **{
                f"site_{column}": Subquery(models.SiteChain.objects.values(column)[:1])
                for column in ("uid", "chain_length", "chain_hash")
            }
        )
        .order_by("model_id", "sequence")
        .iterator(chunk_size=2_000)
    )


def _place(row: Any) -> tuple[int | None, str, tuple[int, str]]:
    """The chain that an event stands in, and where that chain's head says it ends."""
    if row.model is not None:
        return row.model_id, str(row.model.uid), (row.model.chain_length, row.model.chain_hash)
    if row.site_uid is None:
        return None, "site", (0, audit.GENESIS)
    return None, str(row.site_uid), (row.site_chain_length, row.site_chain_hash)


def _differing_column(row: models.AuditEvent) -> str | None:
    """The first column that differs from the text that was hashed, None when all agree.

    A free text that was erased is no difference; one that was changed is.
    """
    try:
        record = json.loads(row.canonical_text)
        digests = dict(record["texts"])
    except (ValueError, TypeError, KeyError):
        return "canonical_text"
    columns = {
        "occurred_at": audit.timestamp(row.occurred_at),
        "recorded_at": audit.timestamp(row.recorded_at),
        "actor": str(row.actor.uid) if row.actor else audit.SYSTEM_ACTOR,
        "channel": row.channel,
        "action": row.action,
        "model": str(row.model.uid) if row.model else None,
        "version": row.version.number if row.version else None,
        "from_stage": row.from_stage or None,
        "to_stage": row.to_stage or None,
        "operation": str(row.operation) if row.operation else None,
        "previous_hash": row.previous_hash,
    }
    for column, value in columns.items():
        if record.get(column) != value:
            return column
    for text in row.texts.all():
        if digests.get(text.role) != audit.text_digest(text.text):
            return f"text ({text.role})"
    return None
