"""Two installations on two ports of one host, in one browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.packaging.commands import Served


@pytest.fixture
def links(tmp_path: Path) -> Iterator[list[str]]:
    """Start two servers with separate data; return the sign-in link of each administrator."""
    with ExitStack() as running:
        servers = []
        for name in ("one", "two"):
            data = tmp_path / name
            data.mkdir(mode=0o700)
            servers.append(Served(data, OBEYA_WORKER="0", OBEYA_WORKERS="1"))
            running.callback(servers[-1].end)
        yield [server.wait_for_urls(2)[1] for server in servers]


def test_signing_in_to_one_keeps_the_user_signed_in_to_the_other(
    links: list[str], new_context: Callable[..., BrowserContext]
) -> None:
    context = new_context()
    pages = []
    for link in links:
        page = context.new_page()
        page.goto(link)
        page.get_by_role("main").get_by_role("button").click()
        pages.append(page)
    for page in pages:
        page.get_by_role("link", name="Board", exact=True).click()
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    # Forms too: their tokens belong to a cookie of each installation.
    first, second = pages
    first.get_by_role("button", name="Theme").click()
    expect(first.get_by_role("button", name="Theme: dark")).to_be_visible()
    second.reload()
    expect(second.get_by_role("button", name="Theme: system")).to_be_visible()
    first.get_by_role("button", name="Sign out").click()
    expect(first.get_by_role("heading", name="Sign in")).to_be_visible()
    second.reload()
    expect(second.get_by_role("button", name="Sign out")).to_be_visible()
