"""The impact preview of a draft on the policy form."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from boards.models import User
from boards.registry.database import DatabaseRegistry
from obeya import Stage
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
EDIT = "/policies/production/edit/"
HTMX = {"HX-Request": "true"}


def draft(client: Client, **changed: object) -> str:
    fields = {
        "metric": ["accuracy"],
        "comparison": [">="],
        "threshold": ["0.9"],
        "required_approvals": "0",
        "try": "1",
        **changed,
    }
    answer = client.post(EDIT, fields, headers=HTMX)
    assert answer.status_code == 200
    return " ".join(text_of(answer).split())


@pytest.fixture
def promoted(registry: DatabaseRegistry) -> DatabaseRegistry:
    """Promote two versions, the better one as champion."""
    for accuracy in (0.8, 0.95):
        number = registry.register_model("resnet50", metrics={"accuracy": accuracy}).version
        for stage in (Stage.STAGING, Stage.PRODUCTION):
            registry.transition_stage("resnet50", number, stage, archive_existing=True)
    return registry


def test_versions_and_past_promotions_are_named_and_linked(
    promoted: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    said = draft(client_of(alice))
    assert "<strong>1</strong> of the 2 versions without a model policy would pass." in said
    assert '<a href="/models/resnet50/versions/1/">resnet50 v1</a>' in said
    assert said.count("would have been refused") == 1


def test_a_draft_that_only_warns_refuses_nothing(
    promoted: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    said = draft(client_of(alice), mode="warn")
    assert "would have been refused" not in said
    assert said.count("would have caused a warning") == 1


def test_past_promotions_are_checked_with_their_approvals(
    promoted: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    said = draft(client_of(alice), threshold=["0.5"], required_approvals="1")
    assert "<strong>2</strong> of the 2 versions without a model policy would pass (ign" in said
    assert said.count("would have been refused") == 2


def test_a_promotion_counts_also_when_its_version_was_deleted_since(
    promoted: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    promoted.delete_version("resnet50", 1)
    said = draft(client_of(alice))
    assert "<strong>1</strong> of the 1 version without a model policy would pass." in said
    assert said.count("would have been refused") == 1


def test_versions_beyond_the_list_are_counted(
    registry: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    for _ in range(52):
        registry.register_model("bert", metrics={"accuracy": 0.1})
    said = draft(client_of(alice))
    assert said.count("bert v") == 50
    assert "and 2 more" in said


def test_incomplete_input_is_not_an_error(alice: User, client_of: ClientOf) -> None:
    page = draft(client_of(alice), threshold=["0.x"])
    assert "Correct the form to see" in page
    assert "<li>Requirement 1: " in page
