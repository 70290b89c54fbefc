"""Addresses of what keeps Production well, and of what tells others of it: webhooks."""

from __future__ import annotations

from django.urls import path

from boards.views import guardrails, limits, rollback, webhooks

_MODEL = "models/<str:name>"
_WEBHOOK = "settings/webhooks/<uuid:uid>"

urlpatterns = [
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
]
