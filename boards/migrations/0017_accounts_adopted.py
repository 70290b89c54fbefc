# After it, accounts that the audit log does not support are recorded once: see `boards.apps`.

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('boards', '0016_readable_names'),
    ]

    operations = [
        migrations.AlterModelManagers(
            name='user',
            managers=[
            ],
        ),
    ]
