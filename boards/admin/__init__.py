"""The admin: a window on every table, and moves that go through the write path.

Nothing of the registry can be typed in here. What an administrator may do to models and versions
are actions, each of which calls `boards.registry` as any other page does.
"""

from boards.admin import accounts, artifacts, audit, catalog, evidence, governance, tokens, webhooks

__all__ = [
    "accounts",
    "artifacts",
    "audit",
    "catalog",
    "evidence",
    "governance",
    "tokens",
    "webhooks",
]
