"""Addresses of what keeps Production well: rollback, guardrails, live values, WIP limits."""

from __future__ import annotations

from django.urls import path

from boards.views import guardrails, limits, rollback

_MODEL = "models/<str:name>"

urlpatterns = [
    path(f"{_MODEL}/rollback/", rollback.rollback, name="rollback"),
    path(f"{_MODEL}/guardrails/", guardrails.set_guardrail, name="guardrails"),
    path(f"{_MODEL}/guardrails/remove/", guardrails.remove_guardrail, name="remove_guardrail"),
    path(f"{_MODEL}/live/", guardrails.report_live_metric, name="report_live_metric"),
    path(f"{_MODEL}/limits/", limits.set_wip_limit, name="model_limits"),
    path(f"{_MODEL}/limits/remove/", limits.remove_wip_limit, name="remove_model_limit"),
    path("settings/limits/", limits.set_wip_limit, name="site_limits"),
    path("settings/limits/remove/", limits.remove_wip_limit, name="remove_site_limit"),
]
