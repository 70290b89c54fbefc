"""Where templates, static files and documents are: in the checkout, or inside the package."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def bundled(name: str) -> Path:
    """Return the directory `name`, inside this package if it is there, else beside it.

    The package comes first: beside an installed package are directories of other packages.
    """
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


TEMPLATES_DIR = bundled("templates")
STATIC_DIR = bundled("static")
# In the checkout, the documents are `docs/`, `examples/` and the Markdown files beside them.
_DOCUMENTS = PACKAGE / "documents"
DOCUMENTS_DIR = _DOCUMENTS if _DOCUMENTS.is_dir() else PACKAGE.parent
