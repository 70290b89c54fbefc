"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class BoardsConfig(AppConfig):
    """The app; installs database triggers and groups after every migration."""

    name = "boards"
    verbose_name = "Model registry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the receivers of signals, and import the checks."""
        from boards import access_events, checks, triggers  # noqa: F401, PLC0415 - apps are loading
        from boards.access import permissions  # noqa: PLC0415 - apps are loading
        from boards.models.access import account_created  # noqa: PLC0415 - apps are loading
        from boards.registry.accounts import adoption, users  # noqa: PLC0415 - apps are loading
        from boards.registry.artifacts import run_files  # noqa: PLC0415 - apps are loading

        # A migration that recreates a table on SQLite drops its triggers with it, so they are
        # created again after every migration, not by one of them.
        post_migrate.connect(triggers.install_after_migrate, sender=self)
        post_migrate.connect(permissions.create_groups_after_migrate, sender=self)
        post_migrate.connect(adoption.adopt_after_upgrade, sender=self)
        post_migrate.connect(run_files.adopt_files_after_upgrade, sender=self)
        account_created.connect(users.record_created_account)
        access_events.connect()
