"""The Django project of the registry: settings, URLs, startup."""
