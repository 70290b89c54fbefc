"""Whether the registry contains the demo, and the notice that every page then shows.

The data directory stores it, with the id of the database's site chain: another database that is
served from the same directory later is not mistaken for the demo.
"""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings

from boards.models import RegisteredModel, SiteChain

NOTICE = "Demo: real timm models with their measured metrics; the dates are simulated."


def loading_mark() -> Path:
    """Return the path of a file that exists only while models are loaded.

    An interrupted start resumes if the file exists.
    """
    return Path(settings.OBEYA_DATA_DIR) / "demo-is-loading"


def remember_loaded() -> None:
    """Store that the demo was loaded completely into this database."""
    _loaded_mark().write_text(f"{SiteChain.objects.get().uid}\n", "utf-8")
    loading_mark().unlink(missing_ok=True)


def show_notice_of_demo() -> None:
    """Let this process and its workers show the notice, if this is the demo.

    A configured notice has priority, even an empty one.
    """
    if "OBEYA_NOTICE" not in os.environ and _holds_demo():
        os.environ["OBEYA_NOTICE"] = settings.OBEYA_NOTICE = NOTICE


def _holds_demo() -> bool:
    if loading_mark().exists():
        return RegisteredModel.objects.exists()
    chain = SiteChain.objects.first()
    mark = _loaded_mark()
    return chain is not None and mark.exists() and mark.read_text("utf-8").strip() == str(chain.uid)


def _loaded_mark() -> Path:
    return Path(settings.OBEYA_DATA_DIR) / "demo-is-loaded"
