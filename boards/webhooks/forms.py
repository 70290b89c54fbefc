"""A message in the format of its target."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.urls import NoReverseMatch, reverse

from obeya.webhooks.endpoints import Target
from obeya.webhooks.messages import sentence_of

SUBJECT_MAX = 150


def posted(target: Target, body: str, site: str) -> str:
    """Return the body of the POST: the message itself, or a text in the format of a chat.

    `site` is the URL of this registry, such as ``https://registry.example.org``.
    """
    if target is Target.WEBHOOK:
        return body
    message = json.loads(body)
    sentence, link = sentence_of(message), link_of(message, site)
    if target is Target.SLACK:
        # https://docs.slack.dev/messaging/formatting-message-text: these three are escaped.
        text = sentence.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return json.dumps({"text": f"{text} <{link}|Open>"}, ensure_ascii=False)
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        # A text run is not parsed as Markdown; a name or a reason could contain Markdown.
        "body": [
            {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": sentence}]},
        ],
        "actions": [{"type": "Action.OpenUrl", "title": "Open", "url": link}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return json.dumps({"type": "message", "attachments": [attachment]}, ensure_ascii=False)


def mail_of(body: str, site: str) -> tuple[str, str]:
    """Return subject and text of the message as an e-mail."""
    message = json.loads(body)
    sentence = sentence_of(message)
    subject = " ".join(f"[Obeya] {sentence}".split())
    if len(subject) > SUBJECT_MAX:
        subject = f"{subject[:SUBJECT_MAX]}…"
    return subject, f"{sentence}\n\n{link_of(message, site)}\n\n{message['type']}\n"


def link_of(message: Mapping[str, Any], site: str) -> str:
    """Return the URL of the message's page: that of the version, the model, or the log."""
    data = message["data"]
    model = (data.get("model") or {}).get("name")
    try:
        if model and data.get("version") is not None:
            return f"{site}{reverse('boards:version', args=[model, data['version']])}"
        if model:
            return f"{site}{reverse('boards:model', args=[model])}"
    except NoReverseMatch:
        # The name is not valid in the path of a page.
        pass
    return f"{site}{reverse('boards:audit')}"
