"""Pages, and the fragments of them that htmx asks for."""
