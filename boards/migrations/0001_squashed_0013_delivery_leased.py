import django.contrib.auth.models
import django.contrib.auth.validators
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('boards', '0001_initial'),
        ('boards', '0002_governance'),
        ('boards', '0003_audit_indexes'),
        ('boards', '0004_policy_removed'),
        ('boards', '0005_tokens'),
        ('boards', '0006_links_logged'),
        ('boards', '0007_waivers_by_time'),
        ('boards', '0008_latest_by_stage'),
        ('boards', '0009_import_channel'),
        ('boards', '0010_version_searches'),
        ('boards', '0011_artifacts'),
        ('boards', '0012_webhooks'),
        ('boards', '0013_delivery_leased'),
    ]

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='HeadsPublished',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(unique=True)),
                ('published_at', models.DateTimeField()),
                ('digest', models.CharField(max_length=64)),
                ('last_event', models.PositiveBigIntegerField()),
            ],
            options={
                'verbose_name_plural': 'heads published',
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='MetricDefinition',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=250, unique=True)),
                ('title', models.CharField(blank=True, max_length=40)),
                ('direction', models.CharField(choices=[('higher', 'higher'), ('lower', 'lower'), ('unknown', 'unknown')], default='unknown', max_length=16)),
                ('unit', models.CharField(blank=True, max_length=24)),
                ('scale', models.CharField(blank=True, choices=[('', ''), ('fraction', 'fraction'), ('percent', 'percent')], default='', max_length=16)),
                ('description', models.TextField(blank=True)),
                ('updated_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'metric definition',
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='SiteChain',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('chain_length', models.PositiveBigIntegerField(default=0, editable=False)),
                ('chain_hash', models.CharField(default='0000000000000000000000000000000000000000000000000000000000000000', editable=False, max_length=64)),
                ('chain_occurred_at', models.DateTimeField(editable=False, null=True)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='VerifiedChain',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('chain', models.UUIDField(unique=True)),
                ('length', models.PositiveBigIntegerField()),
                ('hash', models.CharField(max_length=64)),
                ('problem', models.TextField(blank=True)),
                ('verified_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'verified chain',
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('username', models.CharField(error_messages={'unique': 'A user with that username already exists.'}, help_text='Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.', max_length=150, unique=True, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()], verbose_name='username')),
                ('first_name', models.CharField(blank=True, max_length=150, verbose_name='first name')),
                ('last_name', models.CharField(blank=True, max_length=150, verbose_name='last name')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='email address')),
                ('is_staff', models.BooleanField(default=False, help_text='Designates whether the user can log into this admin site.', verbose_name='staff status')),
                ('is_active', models.BooleanField(default=True, help_text='Designates whether this user should be treated as active. Unselect this instead of deleting accounts.', verbose_name='active')),
                ('date_joined', models.DateTimeField(default=django.utils.timezone.now, verbose_name='date joined')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('is_service', models.BooleanField(default=False, editable=False, verbose_name='service account')),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={
                'verbose_name': 'user',
                'verbose_name_plural': 'users',
                'abstract': False,
            },
            managers=[
                ('objects', django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name='AuditEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sequence', models.PositiveBigIntegerField()),
                ('occurred_at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField()),
                ('channel', models.CharField(choices=[('page', 'page'), ('api', 'api'), ('mlflow', 'mlflow'), ('cli', 'cli'), ('python', 'python'), ('guardrail', 'guardrail'), ('import', 'import'), ('system', 'system')], max_length=16)),
                ('action', models.CharField(max_length=48)),
                ('from_stage', models.CharField(blank=True, choices=[('development', 'Development'), ('staging', 'Staging'), ('production', 'Production'), ('archived', 'Archived')], max_length=16)),
                ('to_stage', models.CharField(blank=True, choices=[('development', 'Development'), ('staging', 'Staging'), ('production', 'Production'), ('archived', 'Archived')], max_length=16)),
                ('operation', models.UUIDField(null=True)),
                ('canonical_text', models.TextField()),
                ('previous_hash', models.CharField(max_length=64)),
                ('hash', models.CharField(max_length=64)),
                ('actor', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='events', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'audit event',
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='StageTransition',
            fields=[
            ],
            options={
                'proxy': True,
                'default_permissions': ('view',),
                'indexes': [],
                'constraints': [],
            },
            bases=('boards.auditevent',),
        ),
        migrations.CreateModel(
            name='Blob',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sha256', models.CharField(max_length=64, unique=True)),
                ('size', models.PositiveBigIntegerField()),
                ('findings', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField()),
                ('sent_at', models.DateTimeField()),
            ],
            options={
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['sent_at'], name='blob_sent')],
                'constraints': [models.CheckConstraint(condition=models.Q(('sha256', ''), _negated=True), name='blob_has_digest')],
            },
        ),
        migrations.CreateModel(
            name='ModelVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('label', models.CharField(blank=True, max_length=64)),
                ('stage', models.CharField(choices=[('development', 'Development'), ('staging', 'Staging'), ('production', 'Production'), ('archived', 'Archived')], default='development', max_length=16)),
                ('revision', models.PositiveIntegerField(default=1)),
                ('description', models.TextField(blank=True)),
                ('artifact_uri', models.CharField(blank=True, max_length=2048)),
                ('source_run', models.CharField(blank=True, max_length=250)),
                ('created_at', models.DateTimeField()),
                ('updated_at', models.DateTimeField()),
                ('stage_entered_at', models.DateTimeField()),
                ('deleted_at', models.DateTimeField(editable=False, null=True)),
                ('owner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='owned_versions', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'model version',
                'default_permissions': ('view',),
            },
        ),
        migrations.AddField(
            model_name='auditevent',
            name='version',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='boards.modelversion'),
        ),
        migrations.CreateModel(
            name='OneTimeLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token_hash', models.CharField(max_length=64, unique=True)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(blank=True, null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='one_time_links', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='RegisteredModel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('chain_length', models.PositiveBigIntegerField(default=0, editable=False)),
                ('chain_hash', models.CharField(default='0000000000000000000000000000000000000000000000000000000000000000', editable=False, max_length=64)),
                ('chain_occurred_at', models.DateTimeField(editable=False, null=True)),
                ('name', models.CharField(max_length=256)),
                ('description', models.TextField(blank=True)),
                ('workflow', models.CharField(blank=True, choices=[('strict', 'Strict: forward one stage at a time; archive from any stage'), ('returns', 'Returns: like strict, and versions can be sent back or restored'), ('open', 'Open: any move, as in MLflow; policies still apply')], max_length=16)),
                ('headline_metrics', models.JSONField(blank=True, default=list)),
                ('last_number', models.PositiveIntegerField(default=0, editable=False)),
                ('development_count', models.PositiveIntegerField(default=0, editable=False)),
                ('staging_count', models.PositiveIntegerField(default=0, editable=False)),
                ('production_count', models.PositiveIntegerField(default=0, editable=False)),
                ('archived_count', models.PositiveIntegerField(default=0, editable=False)),
                ('created_at', models.DateTimeField()),
                ('updated_at', models.DateTimeField()),
                ('deleted_at', models.DateTimeField(editable=False, null=True)),
                ('champion', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='boards.modelversion')),
                ('owner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='owned_models', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'registered model',
                'permissions': [('view_registry', 'Can see the board, the models and the log'), ('register', 'Can register models and versions and log metrics'), ('transition', 'Can move versions between stages other than Production'), ('promote', 'Can move versions into and out of Production'), ('approve', 'Can approve transition requests'), ('waive', 'Can waive policy requirements'), ('edit_policy', 'Can edit promotion policies and metric definitions'), ('administer', 'Can delete, rename and configure models')],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='PolicyRevision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stage', models.CharField(choices=[('staging', 'Staging'), ('production', 'Production')], max_length=16)),
                ('number', models.PositiveIntegerField()),
                ('document', models.JSONField()),
                ('created_at', models.DateTimeField()),
                ('superseded_at', models.DateTimeField(null=True)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='policy_revisions', to=settings.AUTH_USER_MODEL)),
                ('model', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='policy_revisions', to='boards.registeredmodel')),
            ],
            options={
                'verbose_name': 'policy revision',
                'default_permissions': ('view',),
            },
        ),
        migrations.AddField(
            model_name='modelversion',
            name='model',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='boards.registeredmodel'),
        ),
        migrations.AddField(
            model_name='modelversion',
            name='artifact_digest',
            field=models.CharField(blank=True, max_length=71),
        ),
        migrations.AddField(
            model_name='modelversion',
            name='artifact_size',
            field=models.PositiveBigIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='modelversion',
            name='artifact_warnings',
            field=models.JSONField(blank=True, default=list, editable=False),
        ),
        migrations.CreateModel(
            name='ModelTag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=250)),
                ('value', models.TextField(blank=True)),
                ('model', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tags', to='boards.registeredmodel')),
            ],
            options={
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='Guardrail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('metric', models.CharField(max_length=250)),
                ('comparison', models.CharField(choices=[('>', '>'), ('>=', '>='), ('<', '<'), ('<=', '<='), ('=', '=')], max_length=2)),
                ('bound', models.FloatField()),
                ('auto_rollback', models.BooleanField(default=False)),
                ('model', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='guardrails', to='boards.registeredmodel')),
            ],
            options={
                'default_permissions': ('view',),
            },
        ),
        migrations.AddField(
            model_name='auditevent',
            name='model',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='boards.registeredmodel'),
        ),
        migrations.CreateModel(
            name='Alias',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=255)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='aliases', to='boards.modelversion')),
                ('model', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='aliases', to='boards.registeredmodel')),
            ],
            options={
                'verbose_name_plural': 'aliases',
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='RunFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('path', models.CharField(max_length=500, unique=True)),
                ('stored_at', models.DateTimeField()),
                ('blob', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='run_files', to='boards.blob')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'run file',
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='TransitionRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('from_stage', models.CharField(choices=[('development', 'Development'), ('staging', 'Staging'), ('production', 'Production'), ('archived', 'Archived')], max_length=16)),
                ('to_stage', models.CharField(choices=[('staging', 'Staging'), ('production', 'Production')], max_length=16)),
                ('reason', models.TextField(blank=True)),
                ('archive_existing', models.BooleanField(default=False)),
                ('opened_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('status', models.CharField(choices=[('open', 'open'), ('completed', 'completed'), ('rejected', 'rejected'), ('withdrawn', 'withdrawn'), ('expired', 'expired')], default='open', max_length=16)),
                ('closed_at', models.DateTimeField(null=True)),
                ('evidence_digest', models.CharField(blank=True, max_length=64)),
                ('closed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('requested_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='requests', to=settings.AUTH_USER_MODEL)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='requests', to='boards.modelversion')),
            ],
            options={
                'verbose_name': 'transition request',
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='VerificationRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('made_at', models.DateTimeField()),
                ('channel', models.CharField(choices=[('page', 'page'), ('api', 'api'), ('mlflow', 'mlflow'), ('cli', 'cli'), ('python', 'python'), ('guardrail', 'guardrail'), ('import', 'import'), ('system', 'system')], max_length=16)),
                ('is_full', models.BooleanField()),
                ('chains', models.PositiveBigIntegerField()),
                ('events', models.PositiveBigIntegerField()),
                ('left', models.PositiveBigIntegerField(default=0)),
                ('broken', models.JSONField(default=list)),
                ('broken_count', models.PositiveBigIntegerField(default=0)),
                ('made_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='verifications', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'verification',
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='VersionTag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=250)),
                ('value', models.TextField(blank=True)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tags', to='boards.modelversion')),
            ],
            options={
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='Vote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('decision', models.CharField(choices=[('approve', 'approve'), ('reject', 'reject')], max_length=16)),
                ('comment', models.TextField(blank=True)),
                ('evidence_digest', models.CharField(max_length=64)),
                ('voted_at', models.DateTimeField()),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='votes', to='boards.transitionrequest')),
                ('voter', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='votes', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='Waiver',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('stage', models.CharField(choices=[('staging', 'Staging'), ('production', 'Production')], max_length=16)),
                ('requirements', models.JSONField()),
                ('reason', models.TextField()),
                ('granted_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('revoked_at', models.DateTimeField(null=True)),
                ('granted_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='waivers', to=settings.AUTH_USER_MODEL)),
                ('revoked_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='waivers', to='boards.modelversion')),
            ],
            options={
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='Webhook',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('name', models.CharField(max_length=100)),
                ('target', models.CharField(choices=[('webhook', 'webhook'), ('slack', 'slack'), ('teams', 'teams'), ('email', 'email')], max_length=16)),
                ('address', models.CharField(max_length=2048)),
                ('types', models.JSONField(default=list)),
                ('model_globs', models.JSONField(default=list)),
                ('stages', models.JSONField(default=list)),
                ('sealed_secret', models.TextField()),
                ('sealed_previous', models.TextField(blank=True)),
                ('previous_until', models.DateTimeField(null=True)),
                ('revision', models.PositiveIntegerField(default=1)),
                ('created_at', models.DateTimeField()),
                ('failing_since', models.DateTimeField(null=True)),
                ('disabled_at', models.DateTimeField(null=True)),
                ('disabled_reason', models.TextField(blank=True)),
                ('removed_at', models.DateTimeField(null=True)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='WebhookMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('message_id', models.CharField(max_length=64, unique=True)),
                ('type', models.CharField(max_length=48)),
                ('body', models.TextField()),
                ('created_at', models.DateTimeField()),
                ('event', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='boards.auditevent')),
            ],
            options={
                'verbose_name': 'webhook message',
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('pending', 'pending'), ('delivered', 'delivered'), ('failed', 'failed'), ('cancelled', 'cancelled')], default='pending', max_length=16)),
                ('attempts_made', models.PositiveSmallIntegerField(default=0)),
                ('next_attempt_at', models.DateTimeField(null=True)),
                ('leased_until', models.DateTimeField(null=True)),
                ('lease', models.UUIDField(null=True)),
                ('created_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('webhook', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='boards.webhook')),
                ('message', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='boards.webhookmessage')),
            ],
            options={
                'verbose_name_plural': 'deliveries',
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='WipLimit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stage', models.CharField(choices=[('development', 'Development'), ('staging', 'Staging'), ('production', 'Production')], max_length=16)),
                ('limit', models.PositiveIntegerField()),
                ('mode', models.CharField(choices=[('block', 'block'), ('warn', 'warn')], max_length=8)),
                ('model', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='wip_limits', to='boards.registeredmodel')),
            ],
            options={
                'verbose_name': 'WIP limit',
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='ApiToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('name', models.CharField(max_length=100)),
                ('shown', models.CharField(max_length=12)),
                ('token_hash', models.CharField(max_length=64, unique=True)),
                ('scopes', models.JSONField()),
                ('model_globs', models.JSONField(default=list)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('last_used_at', models.DateTimeField(null=True)),
                ('revoked_at', models.DateTimeField(null=True)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='api_tokens', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': (),
                'indexes': [models.Index(fields=['user', '-created_at', '-id'], name='token_user')],
            },
        ),
        migrations.CreateModel(
            name='AuditText',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(max_length=32)),
                ('text', models.TextField()),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='texts', to='boards.auditevent')),
            ],
            options={
                'default_permissions': ('view',),
                'constraints': [models.UniqueConstraint(fields=('event', 'role'), name='text_event_role')],
            },
        ),
        migrations.CreateModel(
            name='BlobUpload',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('blob', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='uploads', to='boards.blob')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'blob upload',
                'default_permissions': ('view',),
                'constraints': [models.UniqueConstraint(fields=('blob', 'user'), name='blob_upload')],
            },
        ),
        migrations.CreateModel(
            name='DeliveryAttempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('made_at', models.DateTimeField()),
                ('milliseconds', models.PositiveIntegerField()),
                ('request_headers', models.JSONField(default=dict)),
                ('status_code', models.PositiveSmallIntegerField(null=True)),
                ('response', models.TextField(blank=True)),
                ('error', models.TextField(blank=True)),
                ('delivery', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='attempts', to='boards.delivery')),
            ],
            options={
                'verbose_name': 'delivery attempt',
                'default_permissions': (),
                'indexes': [models.Index(fields=['delivery', 'id'], name='attempt_delivery')],
            },
        ),
        migrations.CreateModel(
            name='IdempotentRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=255)),
                ('fingerprint', models.CharField(max_length=64)),
                ('claim', models.UUIDField()),
                ('claimed_at', models.DateTimeField()),
                ('status', models.PositiveSmallIntegerField(null=True)),
                ('headers', models.JSONField(default=dict)),
                ('answer', models.TextField(blank=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': (),
                'indexes': [models.Index(fields=['claimed_at'], name='idempotency_age')],
                'constraints': [models.UniqueConstraint(fields=('user', 'key'), name='idempotency_key')],
            },
        ),
        migrations.CreateModel(
            name='Metric',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=250)),
                ('value', models.FloatField()),
                ('samples', models.PositiveBigIntegerField(blank=True, null=True)),
                ('standard_error', models.FloatField(blank=True, null=True)),
                ('dataset', models.CharField(blank=True, max_length=250)),
                ('logged_at', models.DateTimeField()),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='metrics', to='boards.modelversion')),
            ],
            options={
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['name', 'value', 'version'], name='metric_value')],
                'constraints': [models.UniqueConstraint(fields=('version', 'name'), name='metric_name'), models.CheckConstraint(condition=models.Q(('value__gte', -1.7976931348623157e+308), ('value__lte', 1.7976931348623157e+308)), name='metric_finite')],
            },
        ),
        migrations.CreateModel(
            name='LiveValue',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('metric', models.CharField(max_length=250)),
                ('value', models.FloatField()),
                ('reported_at', models.DateTimeField()),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='live_values', to='boards.modelversion')),
            ],
            options={
                'default_permissions': ('view',),
                'constraints': [models.UniqueConstraint(fields=('version', 'metric'), name='live_value_metric'), models.CheckConstraint(condition=models.Q(('value__gte', -1.7976931348623157e+308), ('value__lte', 1.7976931348623157e+308)), name='live_value_finite')],
            },
        ),
        migrations.CreateModel(
            name='ArtifactFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('path', models.CharField(max_length=500)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='files', to='boards.modelversion')),
                ('blob', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='artifact_files', to='boards.blob')),
            ],
            options={
                'verbose_name': 'artifact file',
                'default_permissions': ('view',),
                'constraints': [models.UniqueConstraint(fields=('version', 'path'), name='artifact_path')],
            },
        ),
        migrations.CreateModel(
            name='Andon',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('metric', models.CharField(max_length=250)),
                ('comparison', models.CharField(choices=[('>', '>'), ('>=', '>='), ('<', '<'), ('<=', '<='), ('=', '=')], max_length=2)),
                ('bound', models.FloatField()),
                ('value', models.FloatField()),
                ('raised_at', models.DateTimeField()),
                ('cleared_at', models.DateTimeField(null=True)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='andons', to='boards.modelversion')),
            ],
            options={
                'default_permissions': ('view',),
                'indexes': [models.Index(condition=models.Q(('cleared_at__isnull', True)), fields=['-raised_at'], name='andon_raised')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('cleared_at__isnull', True)), fields=('version', 'metric'), name='andon_open')],
            },
        ),
        migrations.CreateModel(
            name='PolicyCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('from_stage', models.CharField(choices=[('development', 'Development'), ('staging', 'Staging'), ('production', 'Production'), ('archived', 'Archived')], max_length=16)),
                ('to_stage', models.CharField(blank=True, choices=[('development', 'Development'), ('staging', 'Staging'), ('production', 'Production'), ('archived', 'Archived')], max_length=16)),
                ('passed', models.BooleanField()),
                ('allowed', models.BooleanField(null=True)),
                ('verdict', models.JSONField()),
                ('refusals', models.JSONField(default=list)),
                ('evidence', models.JSONField()),
                ('made_at', models.DateTimeField()),
                ('made_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='checks', to=settings.AUTH_USER_MODEL)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='checks', to='boards.modelversion')),
                ('policy_revision', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='checks', to='boards.policyrevision')),
                ('evidence_digest', models.CharField(blank=True, max_length=64)),
            ],
            options={
                'verbose_name': 'policy check',
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['version', '-made_at', '-id'], name='check_version')],
            },
        ),
        migrations.AddIndex(
            model_name='registeredmodel',
            index=models.Index(condition=models.Q(('deleted_at__isnull', True)), fields=['-updated_at', '-id'], name='model_updated'),
        ),
        migrations.AddConstraint(
            model_name='registeredmodel',
            constraint=models.UniqueConstraint(condition=models.Q(('deleted_at__isnull', True)), fields=('name',), name='model_name'),
        ),
        migrations.AddConstraint(
            model_name='registeredmodel',
            constraint=models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='model_has_name'),
        ),
        migrations.AddConstraint(
            model_name='policyrevision',
            constraint=models.UniqueConstraint(fields=('model', 'stage', 'number'), name='policy_model_number'),
        ),
        migrations.AddConstraint(
            model_name='policyrevision',
            constraint=models.UniqueConstraint(condition=models.Q(('model__isnull', True)), fields=('stage', 'number'), name='policy_site_number'),
        ),
        migrations.AddConstraint(
            model_name='policyrevision',
            constraint=models.UniqueConstraint(condition=models.Q(('superseded_at__isnull', True)), fields=('model', 'stage'), name='policy_model_current'),
        ),
        migrations.AddConstraint(
            model_name='policyrevision',
            constraint=models.UniqueConstraint(condition=models.Q(('model__isnull', True), ('superseded_at__isnull', True)), fields=('stage',), name='policy_site_current'),
        ),
        migrations.AddIndex(
            model_name='modelversion',
            index=models.Index(condition=models.Q(('deleted_at__isnull', True)), fields=['stage', '-stage_entered_at', '-id'], name='version_column'),
        ),
        migrations.AddIndex(
            model_name='modelversion',
            index=models.Index(condition=models.Q(('deleted_at__isnull', True)), fields=['model', 'stage', '-stage_entered_at', '-id'], name='version_model_column'),
        ),
        migrations.AddIndex(
            model_name='modelversion',
            index=models.Index(condition=models.Q(('deleted_at__isnull', True)), fields=['owner', 'stage', '-stage_entered_at', '-id'], name='version_owner_column'),
        ),
        migrations.AddIndex(
            model_name='modelversion',
            index=models.Index(condition=models.Q(('deleted_at__isnull', True)), fields=['model', 'stage', '-number'], name='version_latest'),
        ),
        migrations.AddIndex(
            model_name='modelversion',
            index=models.Index(condition=models.Q(('deleted_at__isnull', True)), fields=['-updated_at', '-id'], name='version_updated'),
        ),
        migrations.AddIndex(
            model_name='modelversion',
            index=models.Index(condition=models.Q(('deleted_at__isnull', True)), fields=['source_run'], name='version_run'),
        ),
        migrations.AddConstraint(
            model_name='modelversion',
            constraint=models.UniqueConstraint(fields=('model', 'number'), name='version_number'),
        ),
        migrations.AddConstraint(
            model_name='modelversion',
            constraint=models.UniqueConstraint(condition=models.Q(models.Q(('label', ''), _negated=True), ('deleted_at__isnull', True)), fields=('model', 'label'), name='version_label'),
        ),
        migrations.AddConstraint(
            model_name='modelversion',
            constraint=models.CheckConstraint(condition=models.Q(('stage__in', ['development', 'staging', 'production', 'archived'])), name='version_stage'),
        ),
        migrations.AddConstraint(
            model_name='modelversion',
            constraint=models.CheckConstraint(condition=models.Q(('number__gte', 1), ('revision__gte', 1)), name='version_positive'),
        ),
        migrations.AddConstraint(
            model_name='modeltag',
            constraint=models.UniqueConstraint(fields=('model', 'key'), name='model_tag_key'),
        ),
        migrations.AddConstraint(
            model_name='guardrail',
            constraint=models.UniqueConstraint(fields=('model', 'metric'), name='guardrail_metric'),
        ),
        migrations.AddConstraint(
            model_name='guardrail',
            constraint=models.CheckConstraint(condition=models.Q(('bound__gte', -1.7976931348623157e+308), ('bound__lte', 1.7976931348623157e+308)), name='guardrail_finite'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['-occurred_at', '-id'], name='event_when'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['model', '-occurred_at', '-id'], name='event_model_when'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['version', '-occurred_at', '-id'], name='event_version_when'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['actor', '-occurred_at', '-id'], name='event_actor_when'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['action', '-occurred_at', '-id'], name='event_action_when'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['channel', '-occurred_at', '-id'], name='event_channel_when'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(condition=models.Q(('to_stage', ''), _negated=True), fields=['to_stage', '-occurred_at', '-id', 'action', 'model', 'version'], name='event_stage_when'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(condition=models.Q(('from_stage', ''), _negated=True), fields=['from_stage', '-occurred_at', '-id', 'action', 'model', 'version'], name='event_from_stage_when'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(condition=models.Q(('operation__isnull', False)), fields=['operation'], name='event_operation'),
        ),
        migrations.AddConstraint(
            model_name='auditevent',
            constraint=models.UniqueConstraint(fields=('model', 'sequence'), name='event_model_sequence'),
        ),
        migrations.AddConstraint(
            model_name='auditevent',
            constraint=models.UniqueConstraint(condition=models.Q(('model__isnull', True)), fields=('sequence',), name='event_site_sequence'),
        ),
        migrations.AddConstraint(
            model_name='alias',
            constraint=models.UniqueConstraint(fields=('model', 'name'), name='alias_name'),
        ),
        migrations.AddIndex(
            model_name='transitionrequest',
            index=models.Index(fields=['-opened_at', '-id'], name='request_when'),
        ),
        migrations.AddIndex(
            model_name='transitionrequest',
            index=models.Index(fields=['status', '-opened_at', '-id'], name='request_status'),
        ),
        migrations.AddIndex(
            model_name='transitionrequest',
            index=models.Index(fields=['requested_by', '-opened_at', '-id'], name='request_mine'),
        ),
        migrations.AddIndex(
            model_name='transitionrequest',
            index=models.Index(fields=['version', '-opened_at', '-id'], name='request_version'),
        ),
        migrations.AddConstraint(
            model_name='transitionrequest',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'open')), fields=('version', 'to_stage'), name='request_open'),
        ),
        migrations.AddIndex(
            model_name='versiontag',
            index=models.Index(fields=['key', 'version'], name='version_tag_lookup'),
        ),
        migrations.AddConstraint(
            model_name='versiontag',
            constraint=models.UniqueConstraint(fields=('version', 'key'), name='version_tag_key'),
        ),
        migrations.AddIndex(
            model_name='vote',
            index=models.Index(fields=['request', 'id'], name='vote_request'),
        ),
        migrations.AddIndex(
            model_name='waiver',
            index=models.Index(fields=['version', 'stage'], name='waiver_version'),
        ),
        migrations.AddIndex(
            model_name='waiver',
            index=models.Index(fields=['-granted_at', '-id'], name='waiver_when'),
        ),
        migrations.AddConstraint(
            model_name='waiver',
            constraint=models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('granted_at'))), name='waiver_expires_later'),
        ),
        migrations.AddConstraint(
            model_name='webhook',
            constraint=models.UniqueConstraint(condition=models.Q(('removed_at__isnull', True)), fields=('name',), name='webhook_name'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['next_attempt_at', 'id'], name='delivery_due'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['webhook', 'next_attempt_at'], name='delivery_pending'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('leased_until__isnull', False)), fields=['webhook', 'leased_until'], name='delivery_leased'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(fields=['webhook', '-id'], name='delivery_webhook'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(fields=['webhook', 'status', '-id'], name='delivery_status'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(fields=['finished_at'], name='delivery_finished'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(fields=('webhook', 'message'), name='delivery_once'),
        ),
        migrations.AddConstraint(
            model_name='wiplimit',
            constraint=models.UniqueConstraint(fields=('model', 'stage'), name='limit_model_stage'),
        ),
        migrations.AddConstraint(
            model_name='wiplimit',
            constraint=models.UniqueConstraint(condition=models.Q(('model__isnull', True)), fields=('stage',), name='limit_site_stage'),
        ),
        migrations.AddConstraint(
            model_name='wiplimit',
            constraint=models.CheckConstraint(condition=models.Q(('limit__gte', 1)), name='limit_positive'),
        ),
    ]
