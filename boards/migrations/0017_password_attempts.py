"""Counts of wrong passwords instead of those of django-axes, which stored what was typed."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

# Those that refer to others first.
_OF_AXES = ("accessattemptexpiration", "accessattempt", "accessfailurelog", "accesslog")


class Migration(migrations.Migration):
    """Create the table, and remove those of django-axes."""

    dependencies: ClassVar = [("boards", "0016_readable_names")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="PasswordAttempts",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=64, unique=True)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("ends_at", models.DateTimeField(db_index=True)),
                ("known_until", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name_plural": "password attempts",
                "default_permissions": (),
            },
        ),
        migrations.RunSQL(
            [
                *(f"DROP TABLE IF EXISTS axes_{name}" for name in _OF_AXES),
                "DELETE FROM django_migrations WHERE app = 'axes'",
            ],
            elidable=True,
        ),
    ]
