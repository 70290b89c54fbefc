"""Pages, and their fragments for htmx."""
