"""Signing in and out, the sign-in link, the password, and the theme."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from boards.access.client_address import client_address
from boards.access_events import note_link_use
from boards.context import THEMES
from boards.registry.accounts import users as user_writes
from boards.views.accounts.forms import password_form
from boards.views.errors import error_answer
from boards.views.http import Request, page_actor

BACKEND = "django.contrib.auth.backends.ModelBackend"
YEAR = 365 * 24 * 60 * 60

sign_in = require_http_methods(["GET", "HEAD", "POST"])(
    LoginView.as_view(
        template_name="sign_in.html",
        redirect_authenticated_user=True,
        next_page=reverse_lazy("boards:board"),
    )
)
sign_out = LogoutView.as_view(next_page=reverse_lazy("boards:sign_in"))


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_once(request: HttpRequest, token: str) -> HttpResponse:
    """Sign in by a sign-in link.

    Opening the link only shows a button, so that a preview by a mail or chat program does not use
    it up.
    """
    if request.method != "POST":
        return render(request, "sign_in_once.html")
    user = user_writes.use_sign_in_link(token=token, at=timezone.now())
    if user is None:
        return error_answer(
            request,
            403,
            "This link was already used or has expired. Ask an administrator for a new one.",
        )
    note_link_use(request, user, token)
    login(request, user, backend=BACKEND)
    return HttpResponseRedirect(reverse("boards:set_password"))


@require_http_methods(["GET", "HEAD", "POST"])
def set_password(request: Request) -> HttpResponse:
    """Set a password; users with a password must enter it first, others can skip this page."""
    has_one = request.user.has_usable_password()
    form = password_form(
        request.user,
        request.POST if request.method == "POST" else None,
        address=client_address(request),
    )
    if request.method == "POST" and form.is_valid():
        user_writes.set_password(
            user=request.user,
            password=form.cleaned_data["new_password1"],
            actor=page_actor(request),
            at=timezone.now(),
        )
        update_session_auth_hash(request, request.user)
        messages.success(request, "Password saved.")
        return HttpResponseRedirect(reverse("boards:board"))
    status = 400 if form.errors else 200
    context = {"form": form, "has_one": has_one}
    return render(request, "set_password.html", context, status=status)


@login_not_required
@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Store the user's theme in a cookie; anything but light and dark follows the system."""
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}):
        target = reverse("boards:board")
    response = HttpResponseRedirect(target)
    cookie, theme = settings.OBEYA_THEME_COOKIE_NAME, request.POST.get("theme", "")
    if theme in THEMES:
        response.set_cookie(cookie, theme, max_age=YEAR, samesite="Lax", httponly=True)
    else:
        response.delete_cookie(cookie, samesite="Lax")
    return response
