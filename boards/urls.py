"""The URLs of the pages."""

from __future__ import annotations

from django.urls import path

from boards.views.accounts import accounts, tokens
from boards.views.audit import audit, promotion_record
from boards.views.board import board
from boards.views.catalog import (
    artifact,
    artifact_upload,
    metric_definition,
    model_page,
    models_list,
    version_page,
)
from boards.views.checks import checks
from boards.views.compare import compare
from boards.views.documentation import documentation
from boards.views.policies import guardrails, limits, policies, policy_revisions
from boards.views.reviews import request_form, requests, waivers
from boards.views.transitions import rollback, transition
from boards.views.webhooks import webhooks

app_name = "boards"

_MODEL = "models/<str:name>"
_VERSION = f"{_MODEL}/versions/<int:number>"
_RECORD = "records/<uuid:chain>/<int:sequence>"
_WEBHOOK = "settings/webhooks/<uuid:uid>"

urlpatterns = [
    path("", board.board, name="board"),
    path("board/<str:stage>/", board.board_column, name="board_column"),
    path(
        f"{_VERSION}/transition/",
        transition.transition_stage,
        name="transition_stage",
    ),
    path(
        f"{_VERSION}/moves/",
        transition.moves,
        name="moves",
    ),
    # Models, versions and their comparison
    path("models/", models_list.models, name="models"),
    path(f"{_MODEL}/", model_page.model, name="model"),
    path(
        f"{_VERSION}/",
        version_page.version,
        name="version",
    ),
    path(
        f"{_VERSION}/files/<path:path>",
        artifact.download_file,
        name="download_file",
    ),
    path(
        f"{_VERSION}/artifact/",
        artifact_upload.set_artifact,
        name="set_artifact",
    ),
    path(
        f"{_VERSION}/artifact/pieces/",
        artifact_upload.store_piece,
        name="store_piece",
    ),
    path(f"{_MODEL}/compare/", compare.compare_model, name="compare_model"),
    path("compare/", compare.compare, name="compare"),
    path("compare.csv", compare.compare_csv, name="compare_csv"),
    path("metrics/define/", metric_definition.define_metric, name="define_metric"),
    # Policies, stored checks and the audit log
    path("policies/", policies.policies, name="policies"),
    path("policies/<str:stage>/edit/", policies.edit_policy, name="edit_policy"),
    path(f"{_MODEL}/policies/<str:stage>/edit/", policies.edit_policy, name="edit_model_policy"),
    path("policies/<str:stage>/remove/", policies.remove_policy, name="remove_policy"),
    path(
        f"{_MODEL}/policies/<str:stage>/remove/",
        policies.remove_policy,
        name="remove_model_policy",
    ),
    path("policies/<str:stage>/revisions/", policy_revisions.revisions, name="policy_revisions"),
    path(
        f"{_MODEL}/policies/<str:stage>/revisions/",
        policy_revisions.revisions,
        name="model_policy_revisions",
    ),
    path(f"{_VERSION}/check/", checks.check_policy, name="check_policy"),
    path("checks/<uuid:uid>/", checks.check, name="check"),
    path("checks/<uuid:uid>/check.json", checks.check_json, name="check_json"),
    path("audit/", audit.audit, name="audit"),
    path("audit/verify/", audit.verify_audit, name="verify_audit"),
    path("audit/export.<str:form>", audit.export_audit, name="export_audit"),
    path(f"{_MODEL}/history/export.<str:form>", audit.export_audit, name="export_model_history"),
    path(
        f"{_VERSION}/history/export.<str:form>", audit.export_audit, name="export_version_history"
    ),
    path(f"{_MODEL}/history/", audit.model_history, name="model_history"),
    path(f"{_VERSION}/history/", audit.version_history, name="version_history"),
    # Rollback, guardrails, limits and webhooks
    path(f"{_MODEL}/rollback/", rollback.rollback, name="rollback"),
    path(f"{_MODEL}/guardrails/", guardrails.set_guardrail, name="guardrails"),
    path(f"{_MODEL}/guardrails/remove/", guardrails.remove_guardrail, name="remove_guardrail"),
    path(f"{_MODEL}/live/", guardrails.report_live_metric, name="report_live_metric"),
    path(f"{_MODEL}/limits/", limits.set_wip_limit, name="model_limits"),
    path(f"{_MODEL}/limits/remove/", limits.remove_wip_limit, name="remove_model_limit"),
    path("settings/limits/", limits.set_wip_limit, name="site_limits"),
    path("settings/webhooks/", webhooks.webhooks, name="webhooks"),
    path(f"{_WEBHOOK}/", webhooks.webhook, name="webhook"),
    path(f"{_WEBHOOK}/secret/", webhooks.rotate_secret, name="rotate_secret"),
    path(f"{_WEBHOOK}/replay/", webhooks.replay_failed, name="replay_failed"),
    *(
        path(f"{_WEBHOOK}/{deed}/", webhooks.change_state, {"deed": deed}, name=f"{deed}_webhook")
        for deed in ("enable", "disable", "test", "remove")
    ),
    path("settings/deliveries/<int:pk>/", webhooks.delivery, name="delivery"),
    path("settings/deliveries/<int:pk>/replay/", webhooks.replay, name="replay"),
    path("settings/limits/remove/", limits.remove_wip_limit, name="remove_site_limit"),
    # Transition requests, waivers and promotion records
    path("requests/", requests.inbox, name="requests"),
    path("requests/<uuid:uid>/", requests.request_page, name="request"),
    path("requests/<uuid:uid>/review/", requests.review, name="review"),
    path("requests/<uuid:uid>/withdraw/", requests.withdraw, name="withdraw"),
    path(f"{_VERSION}/request/", request_form.request_transition, name="request_transition"),
    path(f"{_VERSION}/waive/", waivers.waive, name="waive"),
    path("waivers/", waivers.waivers, name="waivers"),
    path("waivers/<uuid:uid>/revoke/", waivers.revoke_waiver, name="revoke_waiver"),
    path(f"{_RECORD}/", promotion_record.record, name="record"),
    path(f"{_RECORD}/record.json", promotion_record.record_json, name="record_json"),
    path("sign-in/", accounts.sign_in, name="sign_in"),
    path("sign-in/once/<str:token>/", accounts.sign_in_once, name="sign_in_once"),
    path("sign-out/", accounts.sign_out, name="sign_out"),
    path("password/", accounts.set_password, name="set_password"),
    path("settings/tokens/", tokens.tokens, name="tokens"),
    path("settings/tokens/<uuid:uid>/revoke/", tokens.revoke_token, name="revoke_token"),
    path("docs/", documentation.read, name="documentation"),
    path("docs/files/<path:file>", documentation.download, name="documentation_file"),
    path("docs/<path:page>/", documentation.read, name="documentation_page"),
    path("theme/", accounts.set_theme, name="set_theme"),
]
