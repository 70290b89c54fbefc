"""Which page of the documentation explains each view."""

from __future__ import annotations

from boards.documentation.sources import page_url

_ADMIN = "stages#permissions"
# The views of `boards` by page, with a section where one explains them.
_VIEWS = {
    "": ("documentation", "documentation_page", "documentation_file", "set_theme"),
    "api#tokens": ("tokens", "revoke_token"),
    "artifacts": ("set_artifact", "store_piece", "download_file"),
    "audit": ("audit", "model_history", "version_history"),
    "audit#exports": ("export_audit", "export_model_history", "export_version_history"),
    "audit#verification-status": ("verify_audit",),
    "cli#on-the-installation": ("sign_in", "sign_in_once", "sign_out", "set_password"),
    "filters": ("models",),
    "glossary#models-and-versions": ("model", "version"),
    "governance#requests": ("requests", "request_transition", "withdraw"),
    "governance#approvals": ("request", "review"),
    "governance#waivers": ("waivers", "waive", "revoke_waiver"),
    "governance#the-promotion-record": ("record", "record_json"),
    "guardrails#guardrails": ("guardrails", "remove_guardrail"),
    "guardrails#live-values": ("report_live_metric",),
    "guardrails#rollback": ("rollback",),
    "guardrails#wip-limits": (
        "model_limits",
        "remove_model_limit",
        "site_limits",
        "remove_site_limit",
    ),
    "metrics#comparison": ("compare", "compare_model", "compare_csv"),
    "metrics#direction": ("define_metric",),
    "policies": (
        "policies",
        "edit_policy",
        "edit_model_policy",
        "remove_policy",
        "remove_model_policy",
    ),
    "policies#requirements": ("check_policy", "check", "check_json"),
    "policies#revisions": ("policy_revisions", "model_policy_revisions"),
    "stages": ("board", "board_column", "transition_stage", "moves"),
    "webhooks": (
        "webhooks",
        "webhook",
        "rotate_secret",
        "enable_webhook",
        "disable_webhook",
        "test_webhook",
        "remove_webhook",
    ),
    "webhooks#delivery-guarantees": ("delivery", "replay", "replay_failed"),
}
_BY_VIEW = {f"boards:{view}": page for page, views in _VIEWS.items() for view in views}
_BY_VIEW["api:docs"] = "api"


def documented_views() -> frozenset[str]:
    """Return the names of the views that have a page, apart from the admin."""
    return frozenset(_BY_VIEW)


def help_url(view: str) -> str:
    """Return the URL of the page that explains a view, by the view's name; else of the index."""
    page = _ADMIN if view.startswith("admin:") else _BY_VIEW.get(view, "")
    name, hash_mark, anchor = page.partition("#")
    return f"{page_url(name)}{hash_mark}{anchor}"
