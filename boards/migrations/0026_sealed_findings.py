"""Findings in stored content get a seal. Without one, content is inspected again."""

from django.db import migrations, models


def inspect_again(apps, schema_editor):
    apps.get_model("boards", "Blob").objects.update(inspector=0)
    versions = apps.get_model("boards", "ModelVersion").objects
    versions.exclude(artifact_size=None).update(artifact_inspector=0)


class Migration(migrations.Migration):

    dependencies = [
        ("boards", "0025_second_look_alike_keys"),
    ]

    operations = [
        migrations.AddField(
            model_name="blob",
            name="findings_seal",
            field=models.CharField(blank=True, default="", editable=False, max_length=64),
        ),
        migrations.RunPython(inspect_again, migrations.RunPython.noop),
    ]
