import django.contrib.auth.models
import django.contrib.auth.validators
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="MetricDefinition",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=250, unique=True)),
                ("title", models.CharField(blank=True, max_length=40)),
                (
                    "direction",
                    models.CharField(
                        choices=[("higher", "higher"), ("lower", "lower"), ("unknown", "unknown")],
                        default="unknown",
                        max_length=16,
                    ),
                ),
                ("unit", models.CharField(blank=True, max_length=24)),
                (
                    "scale",
                    models.CharField(
                        blank=True,
                        choices=[("", ""), ("fraction", "fraction"), ("percent", "percent")],
                        default="",
                        max_length=16,
                    ),
                ),
                ("description", models.TextField(blank=True)),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "metric definition",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="SiteChain",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("chain_length", models.PositiveBigIntegerField(default=0, editable=False)),
                (
                    "chain_hash",
                    models.CharField(
                        default="0000000000000000000000000000000000000000000000000000000000000000",
                        editable=False,
                        max_length=64,
                    ),
                ),
                ("chain_occurred_at", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                (
                    "last_login",
                    models.DateTimeField(blank=True, null=True, verbose_name="last login"),
                ),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "username",
                    models.CharField(
                        error_messages={"unique": "A user with that username already exists."},
                        help_text="Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.",
                        max_length=150,
                        unique=True,
                        validators=[django.contrib.auth.validators.UnicodeUsernameValidator()],
                        verbose_name="username",
                    ),
                ),
                (
                    "first_name",
                    models.CharField(blank=True, max_length=150, verbose_name="first name"),
                ),
                (
                    "last_name",
                    models.CharField(blank=True, max_length=150, verbose_name="last name"),
                ),
                (
                    "email",
                    models.EmailField(blank=True, max_length=254, verbose_name="email address"),
                ),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False,
                        help_text="Designates whether the user can log into this admin site.",
                        verbose_name="staff status",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                        verbose_name="active",
                    ),
                ),
                (
                    "date_joined",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="date joined"
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
                "abstract": False,
            },
            managers=[
                ("objects", django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sequence", models.PositiveBigIntegerField()),
                ("occurred_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("page", "page"),
                            ("api", "api"),
                            ("mlflow", "mlflow"),
                            ("cli", "cli"),
                            ("python", "python"),
                            ("system", "system"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("registered_model.registered", "registered model.registered"),
                            ("registered_model.renamed", "registered model.renamed"),
                            ("registered_model.described", "registered model.described"),
                            ("registered_model.tag_set", "registered model.tag set"),
                            ("registered_model.tag_deleted", "registered model.tag deleted"),
                            ("registered_model.configured", "registered model.configured"),
                            ("registered_model.deleted", "registered model.deleted"),
                            ("model_version.registered", "model version.registered"),
                            ("model_version.metrics_logged", "model version.metrics logged"),
                            ("model_version.described", "model version.described"),
                            ("model_version.tag_set", "model version.tag set"),
                            ("model_version.tag_deleted", "model version.tag deleted"),
                            (
                                "model_version.stage_transitioned",
                                "model version.stage transitioned",
                            ),
                            (
                                "model_version.transition_refused",
                                "model version.transition refused",
                            ),
                            ("model_version.policy_checked", "model version.policy checked"),
                            ("model_version.deleted", "model version.deleted"),
                            ("alias.set", "alias.set"),
                            ("alias.deleted", "alias.deleted"),
                            ("promotion_policy.set", "promotion policy.set"),
                            ("metric_definition.set", "metric definition.set"),
                            ("user.created", "user.created"),
                            ("user.changed", "user.changed"),
                        ],
                        max_length=48,
                    ),
                ),
                (
                    "from_stage",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("development", "Development"),
                            ("staging", "Staging"),
                            ("production", "Production"),
                            ("archived", "Archived"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "to_stage",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("development", "Development"),
                            ("staging", "Staging"),
                            ("production", "Production"),
                            ("archived", "Archived"),
                        ],
                        max_length=16,
                    ),
                ),
                ("operation", models.UUIDField(null=True)),
                ("canonical_text", models.TextField()),
                ("previous_hash", models.CharField(max_length=64)),
                ("hash", models.CharField(max_length=64)),
                (
                    "actor",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "audit event",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="StageTransition",
            fields=[],
            options={
                "proxy": True,
                "default_permissions": ("view",),
                "indexes": [],
                "constraints": [],
            },
            bases=("boards.auditevent",),
        ),
        migrations.CreateModel(
            name="ModelVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("label", models.CharField(blank=True, max_length=64)),
                (
                    "stage",
                    models.CharField(
                        choices=[
                            ("development", "Development"),
                            ("staging", "Staging"),
                            ("production", "Production"),
                            ("archived", "Archived"),
                        ],
                        default="development",
                        max_length=16,
                    ),
                ),
                ("revision", models.PositiveIntegerField(default=1)),
                ("description", models.TextField(blank=True)),
                ("artifact_uri", models.CharField(blank=True, max_length=2048)),
                ("source_run", models.CharField(blank=True, max_length=250)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                ("stage_entered_at", models.DateTimeField()),
                ("deleted_at", models.DateTimeField(editable=False, null=True)),
                (
                    "owner",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="owned_versions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "model version",
                "default_permissions": ("view",),
            },
        ),
        migrations.AddField(
            model_name="auditevent",
            name="version",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="events",
                to="boards.modelversion",
            ),
        ),
        migrations.CreateModel(
            name="OneTimeLink",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="one_time_links",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RegisteredModel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("chain_length", models.PositiveBigIntegerField(default=0, editable=False)),
                (
                    "chain_hash",
                    models.CharField(
                        default="0000000000000000000000000000000000000000000000000000000000000000",
                        editable=False,
                        max_length=64,
                    ),
                ),
                ("chain_occurred_at", models.DateTimeField(editable=False, null=True)),
                ("name", models.CharField(max_length=256)),
                ("description", models.TextField(blank=True)),
                (
                    "workflow",
                    models.CharField(
                        blank=True,
                        choices=[
                            (
                                "strict",
                                "Strict: forwards one stage at a time, archiving from anywhere",
                            ),
                            (
                                "returns",
                                "Returns: strict, and versions may be sent back or restored",
                            ),
                            ("open", "Open: any move, as in MLflow; policies still gate"),
                        ],
                        max_length=16,
                    ),
                ),
                ("headline_metrics", models.JSONField(blank=True, default=list)),
                ("last_number", models.PositiveIntegerField(default=0, editable=False)),
                ("development_count", models.PositiveIntegerField(default=0, editable=False)),
                ("staging_count", models.PositiveIntegerField(default=0, editable=False)),
                ("production_count", models.PositiveIntegerField(default=0, editable=False)),
                ("archived_count", models.PositiveIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                ("deleted_at", models.DateTimeField(editable=False, null=True)),
                (
                    "champion",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="boards.modelversion",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="owned_models",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "registered model",
                "permissions": [
                    ("view_registry", "Can see the board, the models and the log"),
                    ("register", "Can register models and versions and log metrics"),
                    ("transition", "Can move versions between stages other than Production"),
                    ("promote", "Can move versions into and out of Production"),
                    ("approve", "Can approve transition requests"),
                    ("waive", "Can waive policy requirements"),
                    ("edit_policy", "Can edit promotion policies and metric definitions"),
                    ("administer", "Can delete, rename and configure models"),
                ],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="PolicyRevision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "stage",
                    models.CharField(
                        choices=[("staging", "Staging"), ("production", "Production")],
                        max_length=16,
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("document", models.JSONField()),
                ("created_at", models.DateTimeField()),
                ("superseded_at", models.DateTimeField(null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="policy_revisions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="policy_revisions",
                        to="boards.registeredmodel",
                    ),
                ),
            ],
            options={
                "verbose_name": "policy revision",
                "default_permissions": ("view",),
            },
        ),
        migrations.AddField(
            model_name="modelversion",
            name="model",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="versions",
                to="boards.registeredmodel",
            ),
        ),
        migrations.CreateModel(
            name="ModelTag",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=250)),
                ("value", models.TextField(blank=True)),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tags",
                        to="boards.registeredmodel",
                    ),
                ),
            ],
            options={
                "default_permissions": ("view",),
            },
        ),
        migrations.AddField(
            model_name="auditevent",
            name="model",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="events",
                to="boards.registeredmodel",
            ),
        ),
        migrations.CreateModel(
            name="Alias",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="aliases",
                        to="boards.modelversion",
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="aliases",
                        to="boards.registeredmodel",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "aliases",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="VersionTag",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=250)),
                ("value", models.TextField(blank=True)),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tags",
                        to="boards.modelversion",
                    ),
                ),
            ],
            options={
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="AuditText",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("role", models.CharField(max_length=32)),
                ("text", models.TextField()),
                (
                    "event",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="texts",
                        to="boards.auditevent",
                    ),
                ),
            ],
            options={
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(fields=("event", "role"), name="text_event_role")
                ],
            },
        ),
        migrations.CreateModel(
            name="Metric",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=250)),
                ("value", models.FloatField()),
                ("samples", models.PositiveBigIntegerField(blank=True, null=True)),
                ("standard_error", models.FloatField(blank=True, null=True)),
                ("dataset", models.CharField(blank=True, max_length=250)),
                ("logged_at", models.DateTimeField()),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="metrics",
                        to="boards.modelversion",
                    ),
                ),
            ],
            options={
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["name", "value", "version"], name="metric_value")],
                "constraints": [
                    models.UniqueConstraint(fields=("version", "name"), name="metric_name"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("value__gte", -1.7976931348623157e308),
                            ("value__lte", 1.7976931348623157e308),
                        ),
                        name="metric_finite",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PolicyCheck",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "from_stage",
                    models.CharField(
                        choices=[
                            ("development", "Development"),
                            ("staging", "Staging"),
                            ("production", "Production"),
                            ("archived", "Archived"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "to_stage",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("development", "Development"),
                            ("staging", "Staging"),
                            ("production", "Production"),
                            ("archived", "Archived"),
                        ],
                        max_length=16,
                    ),
                ),
                ("passed", models.BooleanField()),
                ("allowed", models.BooleanField(null=True)),
                ("verdict", models.JSONField()),
                ("refusals", models.JSONField(default=list)),
                ("evidence", models.JSONField()),
                ("made_at", models.DateTimeField()),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="checks",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="checks",
                        to="boards.modelversion",
                    ),
                ),
                (
                    "policy_revision",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="checks",
                        to="boards.policyrevision",
                    ),
                ),
            ],
            options={
                "verbose_name": "policy check",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["version", "-made_at", "-id"], name="check_version")
                ],
            },
        ),
        migrations.AddIndex(
            model_name="registeredmodel",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", True)),
                fields=["-updated_at", "-id"],
                name="model_updated",
            ),
        ),
        migrations.AddConstraint(
            model_name="registeredmodel",
            constraint=models.UniqueConstraint(
                condition=models.Q(("deleted_at__isnull", True)),
                fields=("name",),
                name="model_name",
            ),
        ),
        migrations.AddConstraint(
            model_name="registeredmodel",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="model_has_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="policyrevision",
            constraint=models.UniqueConstraint(
                fields=("model", "stage", "number"), name="policy_model_number"
            ),
        ),
        migrations.AddConstraint(
            model_name="policyrevision",
            constraint=models.UniqueConstraint(
                condition=models.Q(("model__isnull", True)),
                fields=("stage", "number"),
                name="policy_site_number",
            ),
        ),
        migrations.AddConstraint(
            model_name="policyrevision",
            constraint=models.UniqueConstraint(
                condition=models.Q(("superseded_at__isnull", True)),
                fields=("model", "stage"),
                name="policy_model_current",
            ),
        ),
        migrations.AddConstraint(
            model_name="policyrevision",
            constraint=models.UniqueConstraint(
                condition=models.Q(("model__isnull", True), ("superseded_at__isnull", True)),
                fields=("stage",),
                name="policy_site_current",
            ),
        ),
        migrations.AddIndex(
            model_name="modelversion",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", True)),
                fields=["stage", "-stage_entered_at", "-id"],
                name="version_column",
            ),
        ),
        migrations.AddIndex(
            model_name="modelversion",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", True)),
                fields=["model", "stage", "-stage_entered_at", "-id"],
                name="version_model_column",
            ),
        ),
        migrations.AddIndex(
            model_name="modelversion",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", True)),
                fields=["owner", "stage", "-stage_entered_at", "-id"],
                name="version_owner_column",
            ),
        ),
        migrations.AddConstraint(
            model_name="modelversion",
            constraint=models.UniqueConstraint(fields=("model", "number"), name="version_number"),
        ),
        migrations.AddConstraint(
            model_name="modelversion",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    models.Q(("label", ""), _negated=True), ("deleted_at__isnull", True)
                ),
                fields=("model", "label"),
                name="version_label",
            ),
        ),
        migrations.AddConstraint(
            model_name="modelversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("stage__in", ["development", "staging", "production", "archived"])
                ),
                name="version_stage",
            ),
        ),
        migrations.AddConstraint(
            model_name="modelversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("number__gte", 1), ("revision__gte", 1)),
                name="version_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="modeltag",
            constraint=models.UniqueConstraint(fields=("model", "key"), name="model_tag_key"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["-occurred_at", "-id"], name="event_when"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["model", "-occurred_at", "-id"], name="event_model_when"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                fields=["version", "-occurred_at", "-id"], name="event_version_when"
            ),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["actor", "-occurred_at", "-id"], name="event_actor_when"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["action", "-occurred_at", "-id"], name="event_action_when"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(("to_stage", ""), _negated=True),
                fields=["to_stage", "-occurred_at", "-id"],
                name="event_stage_when",
            ),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(("operation__isnull", False)),
                fields=["operation"],
                name="event_operation",
            ),
        ),
        migrations.AddConstraint(
            model_name="auditevent",
            constraint=models.UniqueConstraint(
                fields=("model", "sequence"), name="event_model_sequence"
            ),
        ),
        migrations.AddConstraint(
            model_name="auditevent",
            constraint=models.UniqueConstraint(
                condition=models.Q(("model__isnull", True)),
                fields=("sequence",),
                name="event_site_sequence",
            ),
        ),
        migrations.AddConstraint(
            model_name="alias",
            constraint=models.UniqueConstraint(fields=("model", "name"), name="alias_name"),
        ),
        migrations.AddIndex(
            model_name="versiontag",
            index=models.Index(fields=["key", "version"], name="version_tag_lookup"),
        ),
        migrations.AddConstraint(
            model_name="versiontag",
            constraint=models.UniqueConstraint(fields=("version", "key"), name="version_tag_key"),
        ),
    ]
