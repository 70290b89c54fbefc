"""Every kind of page, for tests that check all pages."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from boards.models import Delivery, Webhook


@dataclass(frozen=True, slots=True)
class SitePage:
    """A page: its name in test reports, its path and whether it requires sign-in."""

    name: str
    path: str
    is_open: bool = False


def site_pages(check_id: str) -> list[SitePage]:
    """Return the pages of the small registry of conftest.py, as its administrator sees them."""
    compared = "v=resnet50:3&v=resnet50:4&v=resnet50:5&baseline=0"
    return [
        SitePage("board", reverse("boards:board")),
        SitePage("board, filtered", "/?tag=family%3Dresnet&metric=accuracy+%3E%3D+0.9"),
        SitePage("board, nothing matches", "/?q=nothing+of+this+name"),
        SitePage("board, bad condition", "/?metric=accuracy+above+0.9"),
        SitePage("board as it was", "/?at=2026-06-01T12:00"),
        SitePage("board of no moment", "/?at=tomorrow"),
        SitePage("column as it was", "/board/staging/?at=2026-06-01T12:00"),
        SitePage("column", reverse("boards:board_column", args=["staging"])),
        SitePage("move", reverse("boards:transition_stage", args=["resnet50", 4])),
        SitePage("roll back", reverse("boards:rollback", args=["resnet50"])),
        SitePage("nothing to roll back to", reverse("boards:rollback", args=["bert-base"])),
        SitePage("guardrails", reverse("boards:guardrails", args=["resnet50"])),
        SitePage("model limits", reverse("boards:model_limits", args=["resnet50"])),
        SitePage("site limits", reverse("boards:site_limits")),
        SitePage("models", reverse("boards:models")),
        SitePage("model", reverse("boards:model", args=["resnet50"])),
        SitePage("model in Production on", "/models/resnet50/?production_on=2026-06-01"),
        SitePage("version", reverse("boards:version", args=["resnet50", 4])),
        SitePage("version with files", reverse("boards:version", args=["whisper", 2])),
        SitePage("version without metrics", reverse("boards:version", args=["churn", 1])),
        SitePage("compare", f"{reverse('boards:compare')}?{compared}"),
        SitePage("compare two", "/compare/?v=bert-base:1&v=whisper:1&differences=1"),
        SitePage("compare, nothing named", reverse("boards:compare")),
        SitePage("compare, no such version", "/compare/?v=resnet50:3&v=resnet50:99"),
        SitePage("metric definition", f"{reverse('boards:define_metric')}?name=latency_p99_ms"),
        SitePage("requests", reverse("boards:requests")),
        SitePage("all requests", f"{reverse('boards:requests')}?view=all"),
        SitePage("ask for a move", reverse("boards:request_transition", args=["resnet50", 5])),
        SitePage("waive", reverse("boards:waive", args=["resnet50", 5])),
        SitePage("waivers", reverse("boards:waivers")),
        SitePage("policies", reverse("boards:policies")),
        SitePage("policy edit", reverse("boards:edit_policy", args=["production"])),
        SitePage("check", reverse("boards:check", args=[check_id])),
        SitePage("audit", reverse("boards:audit")),
        SitePage("audit, bad filter", "/audit/?version=x&side=into&since=2026-02-30"),
        SitePage("model history", reverse("boards:model_history", args=["resnet50"])),
        SitePage("version history", reverse("boards:version_history", args=["resnet50", 4])),
        SitePage("set password", reverse("boards:set_password")),
        SitePage("API tokens", "/settings/tokens/"),
        SitePage("webhooks", reverse("boards:webhooks")),
        *(
            SitePage(f"webhook {row.name}", reverse("boards:webhook", args=[row.uid]))
            for row in Webhook.objects.order_by("pk")
        ),
        *(
            SitePage(f"delivery {row.pk}", reverse("boards:delivery", args=[row.pk]))
            for row in Delivery.objects.order_by("pk")[:1]
        ),
        SitePage("JSON API", "/api/v1/docs"),
        SitePage("documentation", "/docs/"),
        SitePage("documentation, README", "/docs/readme/"),
        SitePage("documentation, policies", "/docs/policies/"),
        SitePage("no such page", "/there/is/nothing/"),
        SitePage("sign in", reverse("boards:sign_in"), is_open=True),
        SitePage("sign in once", reverse("boards:sign_in_once", args=["token"]), is_open=True),
    ]
