"""The promotion policies: the list of those in force, and the form that creates a revision."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from boards.access.permissions import Permission, has_permission
from boards.queries.facts.records import find_model
from boards.queries.metrics.metric_names import unmeasured
from boards.queries.paging.whole_number import whole_number
from boards.queries.policies.inspected_again import failing_since_inspection
from boards.queries.policies.policies_page import PolicyEditor, policies_page, policy_editor
from boards.queries.policies.policy_revisions import GATED
from boards.queries.policies.what_if import NamedVersion, WhatIf, what_if
from boards.registry.policies import policies as policy_writes
from boards.views.http import Request, needs, page_actor
from boards.views.policies.policy_form import PolicyForm, pressed
from boards.views.policies.policy_rows import Against
from obeya.errors import RegistryError
from obeya.policy.advice import contradictions
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.policy.results import Mode
from obeya.refusals import Conflict


@dataclass(frozen=True, slots=True)
class Draft:
    """The preview of a draft before it is saved; the warnings do not prevent saving."""

    what_if: WhatIf
    contradictions: tuple[str, ...]
    unmeasured: tuple[str, ...]


@require_safe
@needs(Permission.VIEW)
def policies(request: Request) -> HttpResponse:
    """Show the policies in force. ``?model=...&stage=...`` redirects to that model's form."""
    model, stage = request.GET.get("model", "").strip(), request.GET.get("stage", "")
    problem, status = "", 200
    if model:
        try:
            editor = policy_editor(stage or GATED[-1].value, model)
            return redirect("boards:edit_model_policy", name=editor.model, stage=editor.stage.value)
        except RegistryError as error:
            problem, status = str(error), error.http_status
    after = request.GET.get("after", "").replace("\x00", "")
    context = {
        "section": "policies",
        "page": policies_page(timezone.now(), after),
        "is_first": not after,
        "stages": GATED,
        "model": model,
        "problem": problem,
        "may_edit": has_permission(request.user, Permission.EDIT_POLICY),
    }
    return render(request, "policies.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.EDIT_POLICY)
def edit_policy(request: Request, stage: str, name: str | None = None) -> HttpResponse:
    """Show the form of a stage's policy: the default policy, or a model policy.

    The buttons that add and remove a requirement answer with the form and save nothing; saving
    redirects back here with a message.
    """
    editor = policy_editor(stage, name)
    if request.method != "POST":
        return _form(request, editor, PolicyForm.of(editor.start))
    form = PolicyForm.read(request.POST)
    button = pressed(request.POST)
    if button == "add":
        form.add_row()
    elif button == "remove":
        form.remove_row(request.POST["remove"])
    if button in ("add", "remove"):
        return _form(request, editor, form)
    policy = form.policy(editor.stage)
    if button == "try":
        return _tried(request, editor, form, policy)
    if policy is None:
        return _form(request, editor, form, status=400)
    try:
        return _save(request, editor, policy)
    except Conflict:
        present = policy_editor(stage, name)
        return _form(request, present, form, status=Conflict.http_status)


@require_POST
@needs(Permission.EDIT_POLICY)
def remove_policy(request: Request, stage: str, name: str | None = None) -> HttpResponse:
    """Remove the policy of a stage; without a model policy the default policy applies."""
    editor = policy_editor(stage, name)
    policy_writes.remove_policy(
        stage=editor.stage,
        name=editor.model,
        reason=request.POST.get("reason", ""),
        actor=page_actor(request),
        at=timezone.now(),
    )
    if editor.model is None:
        sentence = f"Default policy for {editor.stage.label} removed."
    else:
        sentence = f"Policy of {editor.model} for {editor.stage.label} removed."
    messages.success(request, sentence)
    return redirect("boards:policies")


def _save(request: Request, editor: PolicyEditor, policy: PromotionPolicy) -> HttpResponse:
    made = policy_writes.set_policy(
        policy=policy,
        name=editor.model,
        expected_revision=_seen(request.POST.get("revision", "")),
        actor=page_actor(request),
        at=timezone.now(),
    )
    if made.number == editor.number:
        messages.info(request, f"No changes: revision {made.number} is still current.")
    else:
        messages.success(request, f"Saved as revision {made.number}.")
        for warning in contradictions(policy):
            messages.warning(request, warning)
        for metric in unmeasured(policy.metric_names):
            messages.warning(request, f"No version has the metric {metric} yet.")
    if editor.model is None:
        return redirect("boards:edit_policy", stage=editor.stage.value)
    return redirect("boards:edit_model_policy", name=editor.model, stage=editor.stage.value)


def _seen(text: str) -> int | None:
    """Return the revision that the form was created from; None if it does not say."""
    if not text:
        return None
    number = whole_number(text)
    # Text that is not a number never was a revision, so it is refused like an old one.
    return -1 if number is None else number


def _tried(
    request: Request, editor: PolicyEditor, form: PolicyForm, policy: PromotionPolicy | None
) -> HttpResponse:
    """Return the impact preview of the draft; without htmx the page with the form as typed."""
    status = 200 if policy else 400
    draft = _draft(editor, policy) if policy else None
    if request.htmx:
        context = {"draft": draft, "editor": editor, "form": form}
        # Incomplete input is not an error yet: htmx gets a status with which it replaces the
        # preview.
        response = render(request, "policy_edit.html#draft", context)
        patch_vary_headers(response, ["HX-Request"])
        return response
    return _form(request, editor, form, status=status, draft=draft)


def _draft(editor: PolicyEditor, policy: PromotionPolicy) -> Draft:
    model = None if editor.model is None else find_model(editor.model)
    return Draft(
        what_if(policy, editor.stage, model, timezone.now()),
        contradictions(policy),
        unmeasured(policy.metric_names),
    )


def _failing_since_inspection(editor: PolicyEditor) -> tuple[NamedVersion, ...]:
    if editor.in_force is None:
        return ()
    model = None if editor.model is None else find_model(editor.model)
    return failing_since_inspection(editor.in_force.policy, editor.stage, model)


def _form(
    request: Request,
    editor: PolicyEditor,
    form: PolicyForm,
    *,
    status: int = 200,
    draft: Draft | None = None,
) -> HttpResponse:
    """Return the page, or for htmx only the form."""
    was_changed = status == Conflict.http_status
    context = {
        "section": "policies",
        "editor": editor,
        "form": form,
        "comparisons": list(Comparison),
        "against": list(Against),
        "modes": list(Mode),
        "draft": draft,
        "inspected_again": () if request.htmx else _failing_since_inspection(editor),
        "was_changed": was_changed,
        # The revision that the user saw, so that overwriting another's change is noticed. Only the
        # response that reports the other change updates it.
        "seen": editor.number if was_changed else request.POST.get("revision", editor.number),
    }
    template = "policy_edit.html#editor" if request.htmx else "policy_edit.html"
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response
