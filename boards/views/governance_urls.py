"""Addresses of the policies, the stored checks and the audit log."""

from __future__ import annotations

from django.urls import path

from boards.views import audit, checks, policies, policy_revisions

_MODEL = "models/<str:name>"
_VERSION = f"{_MODEL}/versions/<int:number>"

urlpatterns = [
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
    path("checks/<uuid:uid>/verdict.json", checks.check_json, name="check_json"),
    path("audit/", audit.audit, name="audit"),
    path("audit/verify/", audit.verify_audit, name="verify_audit"),
    path("audit/export.<str:form>", audit.export_audit, name="export_audit"),
    path(f"{_MODEL}/history/export.<str:form>", audit.export_audit, name="export_model_history"),
    path(
        f"{_VERSION}/history/export.<str:form>", audit.export_audit, name="export_version_history"
    ),
    path(f"{_MODEL}/history/", audit.model_history, name="model_history"),
    path(f"{_VERSION}/history/", audit.version_history, name="version_history"),
]
