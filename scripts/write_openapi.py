"""Write docs/openapi.json, the description of the JSON API, from the current code.

python scripts/write_openapi.py
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "docs/openapi.json"


def openapi_text() -> str:
    """Return the document as it is committed. Django must be set up."""
    from boards.api.api import api

    schema = api.get_openapi_schema(path_prefix="/api/v1/")
    return json.dumps(schema, indent=1, ensure_ascii=False, default=str) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry_site.settings")
    import django

    django.setup()
    OUTPUT.write_text(openapi_text(), "utf-8")
