"""A permission for imports, and the mark of versions that were imported without a check."""

from django.db import migrations, models
from django.db.models import OuterRef, Subquery

ADMINISTRATOR = "administrator"


def mark_imported(apps, schema_editor):
    """Mark the versions whose last move, into a stage that policies protect, was an import."""
    database = schema_editor.connection.alias
    moves = (
        "model_version.registered",
        "model_version.stage_transitioned",
        "model_version.rolled_back",
    )
    last = (
        apps.get_model("boards", "AuditEvent")
        .objects.using(database)
        .filter(version=OuterRef("pk"), action__in=moves)
        .order_by("-sequence")
    )
    versions = apps.get_model("boards", "ModelVersion").objects.using(database)
    imported = (
        versions.filter(stage__in=("staging", "production"))
        .annotate(came_by=Subquery(last.values("channel")[:1]))
        .filter(came_by="import")
    )
    versions.filter(pk__in=list(imported.values_list("pk", flat=True))).update(
        imported_unchecked=True
    )


def grant_to_administrators(apps, schema_editor):
    """Give the new permission to the group that had it as part of another one."""
    database = schema_editor.connection.alias
    group = apps.get_model("auth", "Group").objects.using(database).filter(name=ADMINISTRATOR)
    if not group:
        # A new registry: its groups are created after the migrations.
        return
    of_models, _ = (
        apps.get_model("contenttypes", "ContentType")
        .objects.using(database)
        .get_or_create(app_label="boards", model="registeredmodel")
    )
    permission, _ = (
        apps.get_model("auth", "Permission")
        .objects.using(database)
        .get_or_create(
            content_type=of_models,
            codename="import_versions",
            defaults={"name": "Can import versions with their stages, without a check"},
        )
    )
    group[0].permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("boards", "0020_accounts_adopted"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="registeredmodel",
            options={
                "default_permissions": ("view",),
                "permissions": [
                    ("view_registry", "Can see the board, the models and the log"),
                    ("register", "Can register models and versions and log metrics"),
                    ("transition", "Can move versions between stages other than Production"),
                    ("promote", "Can move versions into and out of Production"),
                    ("approve", "Can approve transition requests"),
                    ("waive", "Can waive policy requirements"),
                    ("edit_policy", "Can edit promotion policies and metric definitions"),
                    ("administer", "Can delete, rename and configure models"),
                    ("import_versions", "Can import versions with their stages, without a check"),
                ],
                "verbose_name": "registered model",
            },
        ),
        migrations.AddField(
            model_name="modelversion",
            name="imported_unchecked",
            field=models.BooleanField(
                default=False, editable=False, verbose_name="imported, not checked"
            ),
        ),
        migrations.RunPython(mark_imported, migrations.RunPython.noop, elidable=True),
        migrations.RunPython(grant_to_administrators, migrations.RunPython.noop, elidable=True),
    ]
