"""The documentation: its pages, rendered from Markdown, and the page that explains each view."""
