# After it, accounts that the audit log does not support are recorded once: see `boards.apps`.

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("boards", "0019_installation"),
    ]

    operations = [
        migrations.AlterModelManagers(
            name='user',
            managers=[
            ],
        ),
        migrations.AddField(
            model_name='verificationrun',
            name='differences',
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name='verificationrun',
            name='difference_count',
            field=models.PositiveBigIntegerField(default=0),
        ),
    ]
