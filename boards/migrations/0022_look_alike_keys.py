from django.db import migrations, models

import boards.models.look_alike_key
from boards.models.look_alike_key import look_alike_columns

BATCH = 1_000


def fill(apps, schema_editor):
    """Store the keys of the names and labels that exist."""
    named = apps.get_model('boards', 'RegisteredModel').objects.only('name')
    labelled = apps.get_model('boards', 'ModelVersion').objects.exclude(label='').only('label')
    for rows, column in ((named, 'name'), (labelled, 'label')):
        batch = []
        for row in rows.iterator(chunk_size=BATCH):
            row.look_alike_key = look_alike_columns(getattr(row, column))['look_alike_key']
            batch.append(row)
            if len(batch) == BATCH:
                rows.model.objects.bulk_update(batch, ['look_alike_key'])
                batch = []
        rows.model.objects.bulk_update(batch, ['look_alike_key'])


class Migration(migrations.Migration):

    dependencies = [
        ("boards", "0021_imports"),
    ]

    operations = [
        migrations.AddField(
            model_name='registeredmodel',
            name='look_alike_key',
            field=boards.models.look_alike_key.LookAlikeKeyField(of='name'),
        ),
        migrations.AddField(
            model_name='modelversion',
            name='look_alike_key',
            field=boards.models.look_alike_key.LookAlikeKeyField(of='label'),
        ),
        migrations.AddIndex(
            model_name='registeredmodel',
            index=models.Index(condition=models.Q(('deleted_at__isnull', True)), fields=['look_alike_key'], name='model_look_alike'),
        ),
        migrations.AddIndex(
            model_name='modelversion',
            index=models.Index(condition=models.Q(models.Q(('look_alike_key', ''), _negated=True), ('deleted_at__isnull', True)), fields=['model', 'look_alike_key'], name='version_look_alike'),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
