"""The admin: read-only views of all tables, and actions that use the write path.

No data of the registry can be edited here. What an administrator can do to models and versions are
actions, each of which calls `boards.registry` as any other page does.
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
