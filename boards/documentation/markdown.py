"""Markdown as HTML, with GitHub's heading ids and links that lead to `/docs/`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import nh3
from django.utils.html import format_html
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from boards.documentation.sources import url_of

# The README has one image per theme, which Markdown cannot express.
_PICTURE = re.compile(
    r'<picture>\s*<source [^>]*srcset="(?P<dark>[^"]+)">'
    r'\s*<img src="(?P<light>[^"]+)" alt="(?P<alt>[^"]*)">\s*</picture>'
)
_IMAGE_PER_THEME = r'![\g<alt>](\g<light> "light")![\g<alt>](\g<dark> "dark")'
# A piece of code that is kept on one line: it fits on a phone.
_WORD = re.compile(r"\S{1,32}")
_ELSEWHERE = re.compile(r"[a-z]+:")

# fmt: off
_TAGS = {
    "a", "blockquote", "br", "button", "code", "div", "em", "h2", "h3", "h4", "h5", "h6", "hr",
    "img", "li", "ol", "p", "pre", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}
# fmt: on
_ATTRIBUTES = {
    "a": {"href"},
    "button": {"aria-label", "class", "data-copy", "hidden", "type"},
    "code": {"class"},
    "div": {"aria-label", "class", "role", "tabindex"},
    "img": {"alt", "class", "src"},
    "ol": {"start"},
    "pre": {"class", "id", "tabindex"},
    "table": {"class"},
    **{f"h{level}": {"id"} for level in range(2, 7)},
}


def parse(text: str, *, source: str) -> list[Token]:
    """Return the tokens of a source's text, with ids of its headings and URLs of its links."""
    tokens = _MARKDOWN.parse(_PICTURE.sub(_IMAGE_PER_THEME, text))
    ids: Counter[str] = Counter()
    for token, following in pairwise(tokens):
        if token.type == "heading_open":
            slug = _slug(text_of(following))
            token.attrSet("id", f"{slug}-{ids[slug]}" if ids[slug] else slug)
            ids[slug] += 1
        _lead_to_pages(following.children or (), source)
        for child in following.children or ():
            if child.type == "code_inline" and _WORD.fullmatch(child.content):
                child.attrSet("class", "docs-word")
    return tokens


def to_html(tokens: Sequence[Token]) -> SafeString:
    """Return the tokens as HTML that contains nothing but known elements and attributes."""
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    return SafeString(nh3.clean(html, tags=_TAGS, attributes=_ATTRIBUTES, link_rel=None))


def text_of(inline: Token) -> str:
    """Return the plain text of a heading or of another inline token."""
    return "".join(child.content for child in inline.children or ())


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _lead_to_pages(children: Sequence[Token], source: str) -> None:
    """Replace the targets of links and images by URLs. A link that leads nowhere becomes text."""
    is_text = False
    for token in children:
        if token.type == "image":
            token.attrs["src"] = url_of(str(token.attrs["src"]), source=source) or ""
            token.attrs["class"] = f"docs-image-{token.attrs.pop('title', '')}"
        elif token.type == "link_open" and not _ELSEWHERE.match(str(token.attrs["href"])):
            url = url_of(str(token.attrs["href"]), source=source)
            is_text = url is None
            token.attrs["href"] = url or ""
        if is_text and token.type in {"link_open", "link_close"}:
            is_text = token.type == "link_open"
            token.type = "text"


def _code(
    self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    env["code_blocks"] = number = env.get("code_blocks", 0) + 1
    return format_html(
        '<div class="docs-code"><pre class="code" id="code-block-{}" tabindex="0">{}</pre>'
        '<button type="button" class="button" data-copy="code-block-{}" aria-label="Copy the code"'
        " hidden>Copy</button></div>",
        number,
        tokens[index].content,
        number,
    )


def _table_open(
    self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    return (
        '<div class="table-box" tabindex="0" role="group" aria-label="Table"><table class="table">'
    )


def _table_close(
    self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    return "</table></div>"


_MARKDOWN = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
_MARKDOWN.add_render_rule("fence", _code)
_MARKDOWN.add_render_rule("code_block", _code)
_MARKDOWN.add_render_rule("table_open", _table_open)
_MARKDOWN.add_render_rule("table_close", _table_close)
