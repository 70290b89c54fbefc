from django.db import migrations, models

from boards.models.look_alike_key import LookAlikeKeyField, look_alike_columns

BATCH = 1_000


def fill(apps, schema_editor):
    """Store the second keys of the names and labels that have one."""
    named = apps.get_model('boards', 'RegisteredModel').objects.only('name')
    labelled = apps.get_model('boards', 'ModelVersion').objects.exclude(label='').only('label')
    for rows, column in ((named, 'name'), (labelled, 'label')):
        for row in rows.iterator(chunk_size=BATCH):
            key = look_alike_columns(getattr(row, column))['second_look_alike_key']
            if key:
                rows.model.objects.filter(pk=row.pk).update(second_look_alike_key=key)


class Migration(migrations.Migration):

    dependencies = [
        ('boards', '0024_limited_tokens'),
    ]

    operations = [
        migrations.AddField(
            model_name='registeredmodel',
            name='second_look_alike_key',
            field=LookAlikeKeyField(of='name', place=1),
        ),
        migrations.AddField(
            model_name='modelversion',
            name='second_look_alike_key',
            field=LookAlikeKeyField(of='label', place=1),
        ),
        migrations.AddIndex(
            model_name='registeredmodel',
            index=models.Index(condition=models.Q(models.Q(('second_look_alike_key', ''), _negated=True), ('deleted_at__isnull', True)), fields=['second_look_alike_key'], name='model_second_look_alike'),
        ),
        migrations.AddIndex(
            model_name='modelversion',
            index=models.Index(condition=models.Q(models.Q(('second_look_alike_key', ''), _negated=True), ('deleted_at__isnull', True)), fields=['model', 'second_look_alike_key'], name='version_second_look_alike'),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
