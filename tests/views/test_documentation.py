"""The documentation under `/docs/`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urldefrag, urljoin

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from boards import urls
from boards.documentation.help_links import documented_views, help_url
from boards.documentation.markdown import parse, to_html
from boards.documentation.pages import find_page, parts
from boards.documentation.sources import files, markdown_of, page_url, sources
from boards.models import User
from tests.offenders import every_case

INLINE = re.compile(r"<[^>]*\s(?:style|on[a-z]+)=|<script(?![^>]* src=)|<style", re.IGNORECASE)


class Read(HTMLParser):
    """What the tests look at in a page: its ids, its title, and the links and images in `main`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.current: list[str] = []
        self.title = ""
        self._in_main = self._in_title = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: dict[str, Any] = dict(attrs)
        self._in_main |= tag == "main"
        self._in_title = tag == "title"
        if "id" in given:
            self.ids[given["id"]] += 1
        link = given.get("href" if tag == "a" else "src")
        if self._in_main and link is not None:
            self.links.append(link)
            if given.get("aria-current") == "page":
                self.current.append(link)

    def handle_endtag(self, tag: str) -> None:
        self._in_main &= tag != "main"
        self._in_title &= tag != "title"

    def handle_data(self, data: str) -> None:
        self.title += data if self._in_title else ""


def html_of(text: str, source: str = "docs/README.md") -> str:
    return to_html(parse(text, source=source))


def get(url: str) -> Read:
    answer = Client().get(url)
    assert answer.status_code == 200
    return Read(answer.content.decode())


def test_every_page_is_linked_and_has_no_dead_link() -> None:
    pages: dict[str, Read] = {}
    waiting = ["/docs/"]
    links = []
    while waiting:
        url = waiting.pop()
        if url in pages:
            continue
        pages[url] = get(url)
        for link in pages[url].links:
            if re.match(r"https?://", link):
                continue
            target, anchor = urldefrag(urljoin(url, link))
            links.append((url, target, anchor))
            if not target.startswith("/docs/files/"):
                assert target.startswith("/docs/"), (url, link)
                waiting.append(target)
    assert set(pages) == {page_url(name) for name in sources()}
    assert len(links) > 1000
    known_files = {reverse("boards:documentation_file", args=[name]) for name in files()}
    dead = [
        (url, target, anchor)
        for url, target, anchor in links
        if target not in known_files and anchor and anchor not in pages[target].ids
    ]
    assert dead == []
    assert {target for _, target, _ in links if target not in pages} == known_files


def test_every_page_has_its_title_unique_ids_and_nothing_inline() -> None:
    titles = Counter()
    with every_case() as case:
        for name in sources():
            with case(name):
                answer = Client().get(page_url(name))
                html = answer.content.decode()
                read = Read(html)
                page = find_page(name)
                assert page
                assert read.title == f"{page.title} – Obeya"
                assert [id_ for id_, count in read.ids.items() if count > 1] == []
                assert not INLINE.search(html)
                titles[read.title] += 1
    assert titles.most_common(1)[0][1] == 1


def test_the_index_has_four_parts_with_every_page_once() -> None:
    assert [part.title for part in parts()] == [
        "Tutorial",
        "How-to guides",
        "Reference",
        "Background",
    ]
    listed = Counter(entry.name for part in parts() for entry in part.entries)
    # The index is not in its own list, and the page of all examples stands for each.
    expected = {name for name in sources() if name and not name.startswith("examples/")}
    assert set(listed) == expected
    assert set(listed.values()) == {1}


def test_a_page_lists_its_sections_and_is_marked_in_the_list_of_pages() -> None:
    read = get("/docs/settings/")
    assert {"#server", "#storage", "#behaviour"} <= set(read.links)
    assert read.current == ["/docs/settings/"]
    assert get("/docs/").current == ["/docs/"]


@pytest.mark.parametrize(
    "name", ["nowhere", "README", "examples/nowhere", "../settings", "files", "decisions"]
)
def test_an_unknown_page_is_the_normal_404(name: str) -> None:
    answer = Client().get(f"/docs/{name}/")
    assert answer.status_code == 404
    assert "This page does not exist." in answer.content.decode()


def test_a_page_is_found_without_the_slash_at_the_end() -> None:
    assert Client().get("/docs/settings").headers["Location"] == "/docs/settings/"


# --- Markdown -------------------------------------------------------------------------------------


def test_html_in_markdown_is_text() -> None:
    html = html_of('<script>x()</script> <b onclick="x()">bold</b>\n\n[x](javascript:x%28%29)')
    assert "<script" not in html
    assert "<b" not in html
    assert "&lt;script&gt;" in html
    assert "href" not in html


def test_headings_have_the_ids_that_github_gives_them() -> None:
    html = html_of("## Names & limits\n\n## `a.b_c`, twice\n\n## Names & limits\n")
    assert re.findall(r'id="([^"]*)"', html) == ["names--limits", "ab_c-twice", "names--limits-1"]


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("settings.md", "/docs/settings/"),
        ("settings.md#server", "/docs/settings/#server"),
        ("../README.md", "/docs/readme/"),
        ("README.md", "/docs/"),
        ("#reference", "#reference"),
        ("openapi.json", "/docs/files/openapi.json"),
        ("../examples/", "/docs/examples/"),
        ("../examples/check_promotion.py", "/docs/examples/check_promotion/"),
        ("https://example.org/a.md", "https://example.org/a.md"),
    ],
)
def test_links_lead_to_the_pages(link: str, url: str) -> None:
    assert html_of(f"[x]({link})") == f'<p><a href="{url}">x</a></p>\n'


def test_a_link_to_a_file_that_is_not_served_is_text() -> None:
    html = html_of("See [the *code*](../boards/urls.py) and [pages](settings.md).")
    assert html == ('<p>See the <em>code</em> and <a href="/docs/settings/">pages</a>.</p>\n')


def test_code_can_be_copied_and_tables_scroll() -> None:
    html = html_of("```sh\nls <x>\n```\n\n| a | b |\n| ---: | --- |\n| 1 | 2 |\n")
    assert 'id="code-block-1" tabindex="0">ls &lt;x&gt;\n</pre>' in html
    assert 'data-copy="code-block-1"' in html
    assert '<div class="table-box" tabindex="0" role="group" aria-label="Table">' in html
    assert "style" not in html


# --- Files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("openapi.json", "application/json"), ("images/board-light.png", "image/png")],
)
def test_a_file_has_an_etag(name: str, content_type: str) -> None:
    url = f"/docs/files/{name}"
    answer = Client().get(url)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.content == files()[name].read_bytes()
    etag = answer.headers["ETag"]
    assert Client().get(url, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("name", ["nothing.png", "settings.md", "../pyproject.toml"])
def test_no_other_file_is_served(name: str) -> None:
    assert Client().get(f"/docs/files/{name}").status_code == 404


# --- The page that explains a view ----------------------------------------------------------------


def test_every_view_has_a_page_that_exists() -> None:
    views = {f"boards:{view.name}" for view in urls.urlpatterns if isinstance(view, URLPattern)}
    assert documented_views() == {*views, "api:docs"}
    ids = {page_url(name): get(page_url(name)).ids for name in sources()}
    for view in [*views, "api:docs", "admin:index"]:
        url, anchor = urldefrag(help_url(view))
        assert url in ids, view
        assert not anchor or anchor in ids[url], view


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("/", "/docs/stages/"),
        ("/policies/", "/docs/policies/"),
        ("/audit/", "/docs/audit/"),
        ("/requests/", "/docs/governance/#requests"),
        ("/settings/tokens/", "/docs/api/#tokens"),
        ("/settings/webhooks/", "/docs/webhooks/"),
        ("/api/v1/docs", "/docs/api/"),
        ("/admin/", "/docs/stages/#permissions"),
        ("/docs/settings/", "/docs/"),
        ("/nowhere/", "/docs/"),
    ],
)
def test_each_page_links_the_page_that_explains_it(
    path: str, link: str, alice: User, client_of: Callable[[User], Client]
) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    html = client_of(alice).get(path).content.decode()
    assert re.findall(r'href="([^"]*)"[^>]*>Docs</a>', html) == [link]


def test_a_visitor_finds_the_documentation_on_the_sign_in_page(db: None) -> None:
    html = Client().get("/sign-in/").content.decode()
    assert 'href="/docs/cli/#on-the-installation"' in html


# --- The glossary ---------------------------------------------------------------------------------


def test_every_term_of_the_glossary_has_one_or_two_sentences_and_a_page() -> None:
    rows = re.findall(
        r"^\| \[([^]]+)\]\([^)]+\) \| ([^|]+) \|$",
        markdown_of(sources()["glossary"]),
        re.MULTILINE,
    )
    assert len(rows) >= 59
    assert {
        term: meaning
        for term, meaning in rows
        if not meaning.endswith(".") or len(re.findall(r"\.(?: |$)", meaning)) > 2
    } == {}
    assert [term for term, count in Counter(term for term, _ in rows).items() if count > 1] == []
