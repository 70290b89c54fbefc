"""The HTML of a response as a browser reads it, whatever the layout of its template."""

from __future__ import annotations

import re

# Their text is kept verbatim.
VERBATIM = re.compile(r"(<(pre|textarea)\b.*?</\2>)", re.DOTALL)
TAG = re.compile(r"""<[a-z][\w-]*(?:"[^"]*"|'[^']*'|[^>"'])*>""", re.IGNORECASE)
# Whitespace beside the tags of these elements is never shown.
BLOCKS = (
    "article|aside|body|datalist|dd|details|dialog|div|dl|dt|fieldset|footer|form|h[1-6]|head"
    "|header|hx-partial|html|legend|li|link|main|meta|nav|ol|option|p|pre|script|section|summary"
    "|table|tbody|td|th|thead|title|tr|ul"
)
# Nor is whitespace at the inner edges of these elements.
INSIDES = "button|select"
BLOCK_TAG = rf"""</?(?:{BLOCKS})\b(?:"[^"]*"|[^>"])*>"""


def text_of(answer: object) -> str:
    """Return the HTML without the whitespace and `<bdi>` tags, which a browser does not show."""
    html = answer.content.decode()  # type: ignore[attr-defined]  # any answer of the test client
    html = re.sub("</?bdi>", "", html)
    html = TAG.sub(lambda tag: re.sub(r"\s+(?=/?>$)", "", re.sub(r"\s+", " ", tag[0])), html)
    parts = VERBATIM.split(html)
    # The pattern has two groups: every third part is verbatim text, followed by its tag's name.
    return "".join(
        part if place % 3 else _condensed(part) for place, part in enumerate(parts) if place % 3 < 2
    ).strip()


def _condensed(html: str) -> str:
    html = re.sub(r"\s+", " ", html)
    html = re.sub(rf" ?({BLOCK_TAG}) ?", r"\1", html)
    html = re.sub(rf"""(<(?:{INSIDES})\b(?:"[^"]*"|[^>"])*>) """, r"\1", html)
    return re.sub(rf" (</(?:{INSIDES})>)", r"\1", html)
