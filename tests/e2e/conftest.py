"""A small registry, accounts, and browser windows in which every console error fails the test."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import count
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from boards.access.actors import SYSTEM, Actor
from boards.models import PolicyCheck, User
from boards.registry.accounts.users import create_user
from boards.registry.artifacts.artifacts import set_artifact, store_blob
from boards.registry.database import DatabaseRegistry
from boards.registry.webhooks.deliveries import Attempt, Outcome, lease_due, record_attempts
from boards.registry.webhooks.endpoints import create_webhook, disable_webhook
from obeya.artifacts.manifest import FileEntry
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.records import Channel
from obeya.refusals import TransitionRefused
from obeya.stages import Stage
from obeya.webhooks.endpoints import Subscription, Target
from tests.e2e.board_page import BoardPage

PASSWORD = "a long enough password"
# Limit for an action or an expectation. Only a failure takes that long.
TIMEOUT_MS = 30_000
expect.set_options(timeout=TIMEOUT_MS)
BACKEND = "django.contrib.auth.backends.ModelBackend"
ACCOUNTS = {
    "ada": "administrator",
    "grace": "promoter",
    "carol": "contributor",
    "anna": "approver",
    "bob": "approver",
    "vera": "viewer",
}
# The browser's own message about a status of 400 to 499, which refusals have.
EXPECTED_LINE = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")


@pytest.fixture(scope="session")
def base_url() -> None:
    """Replace the plugin's fixture, which pytest warns about: each window has its own base URL."""


class Clock:
    """A clock that advances an hour whenever it is read; it starts 30 days ago."""

    def __init__(self) -> None:
        self._start = datetime.now(UTC) - timedelta(days=30)
        self._hours = count()

    def __call__(self) -> datetime:
        return self._start + timedelta(hours=next(self._hours))


@pytest.fixture
def accounts(transactional_db: None) -> dict[str, User]:
    """Create one account in each group."""
    at = datetime.now(UTC) - timedelta(days=40)
    return {
        name: create_user(username=name, group=group, password=PASSWORD, actor=SYSTEM, at=at)
        for name, group in ACCOUNTS.items()
    }


@pytest.fixture
def registry_of(accounts: dict[str, User]) -> Callable[[str], DatabaseRegistry]:
    """Return a function that gives the registry as one of the accounts uses it."""
    clock = Clock()
    return lambda name: DatabaseRegistry(actor=accounts[name], clock=clock)


@pytest.fixture
def registry(
    registry_of: Callable[[str], DatabaseRegistry], accounts: dict[str, User]
) -> DatabaseRegistry:
    """Register twelve versions of four models, two with a champion; set two policies, as ada.

    resnet50: v1 and v2 archived, v3 champion, v4 may enter Production, v5 may not, v6 may enter
    Staging. bert-base: v1 champion, v2 may enter Production, v3 may enter Staging. whisper: v1
    may enter Staging, v2 may not. churn: v1 has no metrics.
    """
    ada = registry_of("ada")
    ada.set_policy(PromotionPolicy(Stage.STAGING).require_metric("accuracy", Comparison.GTE, 0.7))
    ada.set_policy(
        PromotionPolicy(Stage.PRODUCTION)
        .require_metric("accuracy", Comparison.GTE, 0.9)
        .require_metric("latency_p99_ms", Comparison.LTE, 100)
    )

    def register(name: str, accuracy: float, latency: float, *stages: Stage, **more: Any) -> None:
        metrics = {"accuracy": accuracy, "latency_p99_ms": latency, "f1_score": accuracy - 0.02}
        number = ada.register_model(name, None, metrics, **more).version
        for stage in stages:
            into_production = stage is Stage.PRODUCTION
            ada.transition_stage(name, number, stage, archive_existing=into_production)

    staging, production, archived = Stage.STAGING, Stage.PRODUCTION, Stage.ARCHIVED
    vision = {"tags": {"family": "resnet"}}
    register("resnet50", 0.65, 60, archived, **vision)
    register("resnet50", 0.91, 90, staging, production, **vision)
    register("resnet50", 0.93, 80, staging, production, **vision)
    register("resnet50", 0.95, 70, staging, label="2.1.0", **vision)
    register("resnet50", 0.85, 140, staging, label="2.2.0-rc.1", **vision)
    register("resnet50", 0.92, 75, label="2.2.0", **vision)
    register("bert-base", 0.92, 40, staging, production)
    register("bert-base", 0.94, 45, staging)
    register("bert-base", 0.96, 45)
    register("whisper", 0.8, 300)
    register("whisper", 0.6, 310)
    store_files(Actor(accounts["ada"], Channel.PYTHON))
    make_endpoints(Actor(accounts["ada"], Channel.PYTHON))
    ada.register_model("churn", 1, description="Gradient-boosted trees.")
    return ada


def store_files(actor: Actor) -> None:
    """Store files for whisper v2, one of each kind that the page describes."""
    tensor = json.dumps({"a.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}})
    contents = {
        "MLmodel": b"flavors: {sklearn: {sklearn_version: 1.6.1}}\n",
        "weights/a.safetensors": len(tensor).to_bytes(8, "little") + tensor.encode() + bytes(24),
        "weights/old.bin": pickle.dumps({"a": 1}),
    }
    at = datetime.now(UTC) - timedelta(days=1)
    stored = [
        FileEntry(path, store_blob(body=BytesIO(c), size=len(c), actor=actor, at=at).sha256)
        for path, c in contents.items()
    ]
    set_artifact(name="whisper", version=2, files=stored, actor=actor, at=at)


def make_endpoints(actor: Actor) -> None:
    """Create an endpoint with a failed delivery, and a disabled endpoint."""
    at = datetime.now(UTC) - timedelta(days=1)
    for name in ("deploy", "dashboard"):
        row, _ = create_webhook(
            name=name,
            target=Target.WEBHOOK,
            address="https://hooks.example.org/",
            subscription=Subscription(("webhook.created",)),
            actor=actor,
            at=at,
        )
    outcome = Outcome(
        milliseconds=12, status_code=500, response="no", request_headers={"webhook-id": "msg_1"}
    )
    for leased in lease_due(limit=9, per_webhook=9, seconds=60, at=datetime.now(UTC)):
        record_attempts([Attempt(leased=leased, outcome=outcome, made_at=at)])
    disable_webhook(uid=row.uid, reason="Gone", actor=actor, at=at)


@pytest.fixture
def check_id(registry: DatabaseRegistry) -> str:
    """Return the id of a stored check: the refused move of resnet50 v5 to Production."""
    with pytest.raises(TransitionRefused):
        registry.transition_stage("resnet50", 5, Stage.PRODUCTION)
    return str(PolicyCheck.objects.get(version__number=5, to_stage="production").uid)


class ConsoleErrors:
    """The errors in any window of a test, except those that the test expects."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._ignored: list[str] = []

    def ignore(self, *fragments: str) -> None:
        """Ignore lines that contain one of these fragments."""
        self._ignored += fragments

    def listen(self, page: Page) -> None:
        """Collect the errors of the page's console and scripts."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._add(f"uncaught: {error}"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not EXPECTED_LINE.match(message.text):
            self._add(f"{message.type}: {message.text} ({message.location.get('url')})")

    def _add(self, line: str) -> None:
        if not any(fragment in line for fragment in self._ignored):
            self.found.append(line)


@pytest.fixture
def console_errors() -> Iterator[ConsoleErrors]:
    """Fail the test if any console shows an error."""
    console_errors = ConsoleErrors()
    yield console_errors
    assert console_errors.found == []


Visit = Callable[..., Page]


@pytest.fixture
def visit(
    new_context: Callable[..., BrowserContext],
    live_server: Any,
    accounts: dict[str, User],
    console_errors: ConsoleErrors,
) -> Iterator[Visit]:
    """Open a separate window at `path`, signed in as `user` (None: not signed in)."""
    opened = []

    def open_window(path: str = "/", *, user: str | None = "grace", **options: Any) -> Page:
        context = new_context(base_url=live_server.url, **options)
        opened.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        if user is not None:
            client = Client()
            client.force_login(accounts[user], backend=BACKEND)
            name = settings.SESSION_COOKIE_NAME
            value = client.cookies[name].value
            context.add_cookies([{"name": name, "value": value, "url": live_server.url}])
        page = context.new_page()
        console_errors.listen(page)
        page.goto(path)
        return page

    yield open_window
    # Before the database is emptied: an open page can still send requests.
    for context in opened:
        context.close()


# Collect violations of the Content-Security-Policy.
WATCH = """
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) => {
    window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
  });
"""


@pytest.fixture
def watched(visit: Visit) -> Visit:
    """Open a window whose pages list their violations of the policy in `window.violations`."""

    def open_window(path: str, user: str | None) -> Page:
        page = visit("/livez", user=user, reduced_motion="reduce")
        page.context.add_init_script(WATCH)
        page.goto(path)
        return page

    return open_window


@pytest.fixture
def board(registry: DatabaseRegistry, visit: Visit) -> BoardPage:
    """Open the board of the small registry as grace, who has the promote permission."""
    return BoardPage(visit("/", viewport={"width": 1440, "height": 900}))
