"""Template context common to the model's page and the pages of its guardrails and limits."""

from __future__ import annotations

from typing import Any

from boards.access.permissions import Permission, has_permission
from boards.models import RegisteredModel
from boards.queries.board.andons import raised_andons
from boards.queries.policies.guardrails import GuardrailsPanel, guardrails_panel
from boards.queries.policies.limits import LimitsPanel, limits_panel
from boards.views.catalog.forms import GuardrailForm, LimitForm, LiveValueForm
from boards.views.http import Request
from boards.views.shell_commands import python_command, quoted

SAMPLE_METRIC = "error_rate"
SAMPLE_VALUE = 0.013


def operations_context(
    request: Request,
    model: RegisteredModel,
    *,
    guardrail_form: GuardrailForm | None = None,
    live_value_form: LiveValueForm | None = None,
) -> dict[str, Any]:
    """Return the alerts, guardrails and limits of a model, with the user's permissions for them.

    A refused form is shown again with its text.
    """
    panel = guardrails_panel(model)
    live_value_form = live_value_form or LiveValueForm()
    live_value_form.offer_versions(panel)
    return {
        "andons": raised_andons(model),
        "may_roll_back": has_permission(request.user, Permission.PROMOTE),
        "guardrails": panel,
        "guardrail_form": guardrail_form or GuardrailForm(),
        "live_value_form": live_value_form,
        "may_guard": has_permission(request.user, Permission.EDIT_POLICY),
        "may_promote": has_permission(request.user, Permission.PROMOTE),
        "may_report": has_permission(request.user, Permission.REGISTER),
        "report_command": report_command(request, panel),
        **limits_context(request, limits_panel(model)),
    }


def limits_context(
    request: Request, panel: LimitsPanel, form: LimitForm | None = None
) -> dict[str, Any]:
    """Return the WIP limits of a panel, each with its form; `form` is one that was refused."""
    return {
        "wip_limits": panel,
        "limit_rows": [
            (row, form if form and form.stage == row.stage else LimitForm.of(row))
            for row in panel.rows
        ],
        "may_limit": has_permission(request.user, Permission.EDIT_POLICY),
    }


def report_command(request: Request, panel: GuardrailsPanel) -> str:
    """Return the shell command that reports a live value of the model, quoted for any name."""
    metric = panel.metrics[0] if panel.metrics else SAMPLE_METRIC
    return python_command(
        request,
        f"report_live_metric({quoted(panel.model)}, {quoted(metric)}, {SAMPLE_VALUE})",
    )
