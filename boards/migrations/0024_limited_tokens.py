"""Files remember the limit of the token that stored them; stored answers contain no secrets."""

from django.conf import settings
from django.db import migrations, models


def forget_answers(apps, schema_editor):
    # They can contain secrets, and do not say which permissions they need. Their requests were
    # carried out, so that a repeat must not be.
    rows = apps.get_model("boards", "IdempotentRequest").objects.exclude(status=None)
    rows.update(answer="", headers={}, has_secret=True)


class Migration(migrations.Migration):

    dependencies = [
        ("boards", "0023_access_events"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="onetimelink",
            options={"default_permissions": (), "verbose_name": "sign-in link"},
        ),
        migrations.AddField(
            model_name="blobupload",
            name="models_digest",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.RemoveConstraint(model_name="blobupload", name="blob_upload"),
        migrations.AddConstraint(
            model_name="blobupload",
            constraint=models.UniqueConstraint(
                fields=("blob", "user", "models_digest"), name="blob_upload_by_limit"
            ),
        ),
        migrations.AddField(
            model_name="runfile",
            name="models_digest",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.AddField(
            model_name="idempotentrequest",
            name="checks",
            field=models.TextField(blank=True, default=""),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="idempotentrequest",
            name="has_secret",
            field=models.BooleanField(default=False),
        ),
        migrations.RunPython(forget_answers, migrations.RunPython.noop),
    ]
