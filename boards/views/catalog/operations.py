"""What the model's page and the pages of its guardrails and limits show alike."""

from __future__ import annotations

from typing import Any

from boards.access.permissions import Permission, has_permission
from boards.models import RegisteredModel
from boards.queries.board.andons import raised_andons
from boards.queries.board.limits import LimitsPanel, limits_panel
from boards.queries.catalog.guardrails import GuardrailsPanel, guardrails_panel
from boards.views.http import Request
from boards.views.shell_commands import python_command, quoted
from obeya.policy.bounds import Comparison
from obeya.transitions.limits import LimitMode

SAMPLE_METRIC = "error_rate"
SAMPLE_VALUE = 0.013


def operations_context(request: Request, model: RegisteredModel) -> dict[str, Any]:
    """The andons, guardrails and limits of a model, with what this person may do to them."""
    panel = guardrails_panel(model)
    return {
        "andons": raised_andons(model),
        "may_roll_back": has_permission(request.user, Permission.PROMOTE),
        **guardrails_context(request, panel),
        **limits_context(request, limits_panel(model)),
    }


def guardrails_context(request: Request, panel: GuardrailsPanel) -> dict[str, Any]:
    """A model's guardrails and the forms beside them."""
    return {
        "guardrails": panel,
        "comparisons": list(Comparison),
        "may_guard": has_permission(request.user, Permission.EDIT_POLICY),
        "may_promote": has_permission(request.user, Permission.PROMOTE),
        "may_report": has_permission(request.user, Permission.REGISTER),
        "report_command": report_command(request, panel),
    }


def limits_context(request: Request, panel: LimitsPanel) -> dict[str, Any]:
    """The WIP limits of a model or the site and the forms beside them."""
    return {
        "wip_limits": panel,
        "limit_modes": list(LimitMode),
        "may_limit": has_permission(request.user, Permission.EDIT_POLICY),
    }


def report_command(request: Request, panel: GuardrailsPanel) -> str:
    """The shell command that reports a live value of the model, for any names there are."""
    metric = panel.metrics[0] if panel.metrics else SAMPLE_METRIC
    return python_command(
        request,
        f"report_live_metric({quoted(panel.model)}, {quoted(metric)}, {SAMPLE_VALUE})",
    )
