"""The one write path: every change of the registry is one of these functions.

Each function checks the right, locks, asks the core, changes, and appends the audit event, all
in one transaction. All arguments are keywords; `actor` says who acts and `at` when.
"""

from boards.access.actors import SYSTEM, Actor
from boards.registry.accounts import (
    anybody_has_password,
    create_user,
    make_one_time_link,
    record_user_change,
    set_password,
    use_one_time_link,
)
from boards.registry.artifacts import (
    collect_garbage,
    delete_run_files,
    set_artifact,
    store_blob,
    store_run_file,
)
from boards.registry.catalog import (
    configure_model,
    delete_model,
    delete_version,
    rename_model,
    set_description,
)
from boards.registry.database import DatabaseRegistry
from boards.registry.deliveries import replay, replay_failed
from boards.registry.evidence import define_metric, log_metrics, record_policy_check
from boards.registry.guardrails import remove_guardrail, report_live_metric, set_guardrail
from boards.registry.idempotency import answer_once
from boards.registry.imports import import_model
from boards.registry.labels import delete_alias, delete_tag, set_alias, set_tag
from boards.registry.limits import remove_wip_limit, set_wip_limit
from boards.registry.pieces import store_piece
from boards.registry.policies import remove_policy, set_policy
from boards.registry.registration import create_model, register_model, register_versions
from boards.registry.requests import request_transition, vote, withdraw
from boards.registry.rollback import rollback
from boards.registry.tokens import make_token, revoke_token, service_account, use_token
from boards.registry.transitions import transition_stage
from boards.registry.unchanged import together, unchanged
from boards.registry.verification import record_verification, verify_new_events
from boards.registry.waivers import revoke_waiver, waive
from boards.registry.webhooks import (
    change_webhook,
    create_webhook,
    disable_webhook,
    enable_webhook,
    remove_webhook,
    rotate_secret,
    send_test,
)

__all__ = [
    "SYSTEM",
    "Actor",
    "DatabaseRegistry",
    "answer_once",
    "anybody_has_password",
    "change_webhook",
    "collect_garbage",
    "configure_model",
    "create_model",
    "create_user",
    "create_webhook",
    "define_metric",
    "delete_alias",
    "delete_model",
    "delete_run_files",
    "delete_tag",
    "delete_version",
    "disable_webhook",
    "enable_webhook",
    "import_model",
    "log_metrics",
    "make_one_time_link",
    "make_token",
    "record_policy_check",
    "record_user_change",
    "record_verification",
    "register_model",
    "register_versions",
    "remove_guardrail",
    "remove_policy",
    "remove_webhook",
    "remove_wip_limit",
    "rename_model",
    "replay",
    "replay_failed",
    "report_live_metric",
    "request_transition",
    "revoke_token",
    "revoke_waiver",
    "rollback",
    "rotate_secret",
    "send_test",
    "service_account",
    "set_alias",
    "set_artifact",
    "set_description",
    "set_guardrail",
    "set_password",
    "set_policy",
    "set_tag",
    "set_wip_limit",
    "store_blob",
    "store_piece",
    "store_run_file",
    "together",
    "transition_stage",
    "unchanged",
    "use_one_time_link",
    "use_token",
    "verify_new_events",
    "vote",
    "waive",
    "withdraw",
]
