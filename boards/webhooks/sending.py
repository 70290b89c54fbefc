"""One attempt of one delivery."""

from __future__ import annotations

import logging
import smtplib
import time
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage

from boards.access.sealing import Unopenable, unseal
from boards.models import Webhook
from boards.registry.webhooks.deliveries import Leased, Outcome
from boards.webhooks.forms import mail_of, posted
from boards.webhooks.guard import Forbidden
from boards.webhooks.http_post import NoAnswer, post
from obeya.webhooks.endpoints import Target
from obeya.webhooks.signing import signed_headers

_MAIL_ACCEPTED = 250
logger = logging.getLogger(__name__)


def attempt(leased: Leased, *, site: str, at: datetime) -> Outcome:
    """Send the message once and return the outcome; an error is the outcome, whatever it is."""
    began = time.monotonic()
    headers: dict[str, str] = {}
    result: dict[str, Any]
    try:
        if leased.webhook.target == Target.EMAIL.value:
            result = _mailed(leased, site)
        else:
            target = Target(leased.webhook.target)
            body = posted(target, leased.message.body, site)
            headers = _headers(leased, target, body, at)
            answer = post(
                leased.webhook.address,
                body.encode(),
                headers,
                allowed=settings.OBEYA_WEBHOOK_NETWORKS,
            )
            result = {"status_code": answer.status, "response": answer.text}
    except Unopenable:
        result = {
            "error": "The secret was encrypted with another SECRET_KEY. Create a new secret for "
            "this endpoint."
        }
    except (Forbidden, NoAnswer) as error:
        result = {"error": str(error)}
    except Exception as error:
        # Otherwise the delivery would be repeated without an attempt that says why.
        logger.exception("The delivery %s failed.", leased.pk)
        result = {"error": unexpected(error)}
    milliseconds = round((time.monotonic() - began) * 1_000)
    return Outcome(milliseconds=milliseconds, request_headers=headers, **result)


def unexpected(error: BaseException) -> str:
    """Return the sentence for an error of this server, for the list of attempts."""
    return (
        f"This server could not send the delivery ({type(error).__name__}: {error}). Details are "
        "in the worker's log."
    )


def _headers(leased: Leased, target: Target, body: str, at: datetime) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "User-Agent": "Obeya-Webhooks"}
    if target.is_signed:
        keys = secrets_of(leased.webhook, at)
        timestamp = int(at.timestamp())
        headers |= signed_headers(leased.message.message_id, timestamp, body, keys)
    return headers


def secrets_of(webhook: Webhook, at: datetime) -> list[str]:
    """Return the secrets that sign now, the current one first. Raises `Unopenable`."""
    keys = [unseal(webhook.sealed_secret)]
    if webhook.sealed_previous and webhook.previous_until and at < webhook.previous_until:
        keys.append(unseal(webhook.sealed_previous))
    return keys


def _mailed(leased: Leased, site: str) -> dict[str, Any]:
    if not settings.OBEYA_EMAIL_URL:
        return {"error": "E-mail is not configured. Set OBEYA_EMAIL_URL."}
    subject, text = mail_of(leased.message.body, site)
    mail = EmailMessage(
        subject,
        text,
        to=[leased.webhook.address],
        headers={"Message-ID": f"<{leased.message.message_id}@obeya>"},
    )
    try:
        mail.send()
    except (OSError, smtplib.SMTPException) as error:
        return {"error": f"The e-mail was not sent: {error}"}
    return {"status_code": _MAIL_ACCEPTED, "response": "The mail server accepted the e-mail."}
