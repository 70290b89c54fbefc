"""The promotion policies: the list of those in force, and the form that makes a revision."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods, require_safe

from boards import registry
from boards.permissions import Right, has_right
from boards.queries.policies_page import (
    GATED,
    PolicyEditor,
    policies_page,
    policy_editor,
)
from boards.views.http import Request, needs, page_actor
from boards.views.policy_form import PolicyForm, pressed
from obeya.errors import Conflict, RegistryError
from obeya.policies import Comparison, PromotionPolicy


@require_safe
@needs(Right.VIEW)
def policies(request: Request) -> HttpResponse:
    """The policies in force. ``?model=...&stage=...`` leads on to that model's form."""
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
        "page": policies_page(after),
        "is_first": not after,
        "stages": GATED,
        "model": model,
        "problem": problem,
        "may_edit": has_right(request.user, Right.EDIT_POLICY),
    }
    return render(request, "policies.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.EDIT_POLICY)
def edit_policy(request: Request, stage: str, name: str | None = None) -> HttpResponse:
    """The form of a stage's policy for the site or for one model.

    The buttons that add and remove a requirement answer with the form and save nothing; saving
    leads back here with what came of it.
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
    if button != "save":
        return _form(request, editor, form)
    policy = form.policy(editor.stage)
    if policy is None:
        return _form(request, editor, form, status=400)
    try:
        return _save(request, editor, policy)
    except Conflict:
        present = policy_editor(stage, name)
        return _form(request, present, form, status=Conflict.http_status)


def _save(request: Request, editor: PolicyEditor, policy: PromotionPolicy) -> HttpResponse:
    seen = request.POST.get("revision", "")
    made = registry.set_policy(
        policy=policy,
        name=editor.model,
        # What is no number was never a revision, so it is refused like an old one.
        expected_revision=(int(seen) if seen.isdecimal() else -1) if seen else None,
        actor=page_actor(request),
        at=timezone.now(),
    )
    if made.number == editor.number:
        messages.info(request, f"Nothing changed: revision {made.number} stays in force.")
    else:
        messages.success(request, f"Saved as revision {made.number}.")
    if editor.model is None:
        return redirect("boards:edit_policy", stage=editor.stage.value)
    return redirect("boards:edit_model_policy", name=editor.model, stage=editor.stage.value)


def _form(
    request: Request, editor: PolicyEditor, form: PolicyForm, *, status: int = 200
) -> HttpResponse:
    """The page, or for htmx the form alone."""
    was_changed = status == Conflict.http_status
    context = {
        "section": "policies",
        "editor": editor,
        "form": form,
        "comparisons": list(Comparison),
        "was_changed": was_changed,
        # The revision that the person looks at, so that saving over another's is noticed. Only
        # the answer that tells of the other makes it newer.
        "seen": editor.number if was_changed else request.POST.get("revision", editor.number),
    }
    template = "policy_edit.html#editor" if request.htmx else "policy_edit.html"
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response
