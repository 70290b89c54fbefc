"""The verification names each row that was changed, removed or added without an event."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from boards import models
from boards.access.actors import SYSTEM
from boards.queries.facts.files.file_findings import sealed_findings
from boards.queries.verification.coverage import COMPARED_TABLES, UNCOVERED, compared_columns
from boards.queries.verification.verification import verify_chains
from boards.registry.accounts.users import create_sign_in_link
from boards.registry.database import DatabaseRegistry
from obeya.audit.chain import text_digest
from obeya.stages import Stage
from tests.full_registry import NOT_CALLED
from tests.offenders import every_case
from tests.write_path import write_functions

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]

STATEMENTS = 40
NOW = datetime(2026, 7, 1, tzinfo=UTC)
Change = Callable[[], object]


def rows(table: type[Any], **condition: Any) -> Any:
    return table._default_manager.filter(**condition)


def churn(table: type[Any], version_number: int | None = None, **condition: Any) -> Any:
    """Return rows of the model “churn”, or of one of its versions."""
    if version_number is None:
        return rows(table, model__name="churn", **condition)
    owner = {"version__model__name": "churn", "version__number": version_number}
    return rows(table, **owner, **condition)


def churn_version(number: int) -> Any:
    return churn(models.ModelVersion, number=number)


def user(name: str) -> models.User:
    return models.User.objects.get(username=name)


def version(number: int) -> models.ModelVersion:
    return churn_version(number).get()


def group(name: str) -> Group:
    return Group.objects.get(name=name)


def permission(code: str) -> Permission:
    return Permission.objects.get(codename=code)


def foreign_version(number: int) -> models.ModelVersion:
    """Return the version of another model that has this number."""
    return models.ModelVersion.objects.exclude(model__name="churn").filter(number=number)[0]


def foreign_revision() -> models.PolicyRevision:
    """Return a revision of another model's policy, with the stage and number of that of “churn”."""
    own = models.PolicyRevision.objects.get(model__name="churn", number=1, stage="production")
    other = models.RegisteredModel.objects.exclude(name="churn")[0]
    rows(models.PolicyRevision, model=other, stage="production", number=1).delete()
    own.pk, own.model = None, other
    own.save()
    return own


def stored_content() -> Any:
    """Return the content of the files of a version."""
    return rows(models.Blob, artifact_files__version=version(3)).distinct()


def content_with_findings(**findings: Any) -> None:
    """Write findings into stored content, with the seal that only the installation can compute."""
    blob = stored_content().get()
    sealed = sealed_findings(blob.sha256, blob.size, findings, blob.inspector)
    rows(models.Blob, pk=blob.pk).update(**sealed)


def execute(*statements: str) -> None:
    """Run SQL without the checks of Django."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def link_again(**conditions: Any) -> None:
    """Let used links, and only them, be usable again."""
    assert rows(models.OneTimeLink, **conditions).exclude(used_at=None).update(used_at=None)


def restored_link() -> None:
    """Add a link again that a newer one ended."""
    row = rows(models.OneTimeLink, user__username="robert", used_at=None).get()
    create_sign_in_link(user=row.user, actor=SYSTEM, at=datetime.now(UTC))
    row.pk = None
    row.save()


# What someone with write access to the database did, and what the verification says about it.
TAMPERING: list[tuple[str, Change, str]] = [
    (
        "metric",
        lambda: churn(models.Metric, 1, name="auc").update(value=0.99),
        "churn v1: metric auc is 0.99, but the log says 0.91 (event ",
    ),
    (
        "last digit of a metric",
        lambda: churn(models.Metric, 1, name="auc").update(value=0.9100000000000001),
        "churn v1: metric auc is 0.9100000000000001, but the log says 0.91",
    ),
    (
        "samples",
        lambda: churn(models.Metric, 1, name="auc").update(samples=9),
        "churn v1: metric auc: samples is 9, but the log says 1000",
    ),
    (
        "metric removed",
        lambda: churn(models.Metric, 3, name="tiny").delete(),
        "churn v3: metric tiny is missing",
    ),
    (
        "metric added",
        lambda: models.Metric.objects.create(version=version(4), name="f1", value=1, logged_at=NOW),
        "churn v4: metric f1 has no event.",
    ),
    (
        "tag",
        lambda: churn(models.VersionTag, 1).update(value="forest"),
        "churn v1: tag family is forest, but the log says trees",
    ),
    (
        "model tag",
        lambda: churn(models.ModelTag).update(value="sales"),
        "churn: model tag team is sales, but the log says crm",
    ),
    (
        "alias",
        lambda: churn(models.Alias, name="champion").update(version=version(3)),
        "churn v3: alias champion: version is 3, but the log says 1",
    ),
    (
        "alias of another model's version",
        lambda: churn(models.Alias, name="best").update(version=foreign_version(3)),
        "churn: alias best: version is a version of another model, but the log says 3",
    ),
    (
        "champion of another model",
        lambda: rows(models.RegisteredModel, name="churn").update(champion=foreign_version(1)),
        "churn: champion is a version of another model, but the log says 1",
    ),
    (
        "policy of another model in a check",
        lambda: churn(models.PolicyCheck, 4, policy_revision__model__name="churn").update(
            policy_revision=foreign_revision()
        ),
        "policy_revision is a revision of another model's policy, but the log says ",
    ),
    (
        "key of a name",
        lambda: rows(models.RegisteredModel, name="churn").update(look_alike_key=""),
        "churn: look_alike_key is not the key of the name.",
    ),
    (
        "second key of a label",
        lambda: churn_version(1).update(second_look_alike_key="x"),
        "churn v1: second_look_alike_key is not the key of the label.",
    ),
    (
        "key of a label",
        lambda: churn_version(1).update(look_alike_key=""),
        "churn v1: look_alike_key is not the key of the label.",
    ),
    (
        "findings in stored content",
        lambda: stored_content().update(findings={"format": "text"}),
        "its findings were not written with the key of this installation",
    ),
    (
        "inspection of stored content",
        lambda: stored_content().update(inspector=99),
        "its findings were not written with the key of this installation",
    ),
    (
        "size of stored content",
        lambda: stored_content().update(size=3),
        "its findings were not written with the key of this installation",
    ),
    (
        "findings with a seal",
        lambda: content_with_findings(format="text"),
        "churn v3: the findings in its stored content are not those of event ",
    ),
    (
        "head of the site chain",
        lambda: execute("DELETE FROM boards_sitechain"),
        "Chain site, event 1: ",
    ),
    (
        "site chain without a head",
        lambda: models.SiteChain.objects.update(chain_length=0, chain_hash="0" * 64),
        "the chain ends at event ",
    ),
    (
        "model removed",
        lambda: execute("DELETE FROM boards_registeredmodel WHERE name = 'churn'"),
        "it is missing (event 1).",
    ),
    (
        "version removed",
        lambda: execute("DELETE FROM boards_modelversion WHERE label = '1.3.0'"),
        "churn v3: it is missing",
    ),
    (
        "accounts removed",
        lambda: execute("DELETE FROM boards_user"),
        " does not exist, but has the groups administrator.",
    ),
    (
        "groups and permissions removed",
        lambda: execute("DELETE FROM auth_group", "DELETE FROM auth_permission"),
        "registry: account ada: groups are none, but the log says administrator",
    ),
    (
        "content removed",
        lambda: execute("DELETE FROM boards_blob"),
        "churn v3: its files do not have the digest of the log",
    ),
    (
        "policies removed",
        lambda: execute("DELETE FROM boards_policyrevision"),
        "policy_revision is ",
    ),
    (
        "stage",
        lambda: churn_version(4).update(stage="production"),
        "churn v4: stage is production, but the log says staging",
    ),
    (
        "label",
        lambda: churn_version(1).update(label="9.9.9"),
        "churn v1: label is 9.9.9, but the log says 1.1.0",
    ),
    (
        "owner",
        lambda: churn_version(1).update(owner=user("grace")),
        "churn v1: owner is ",
    ),
    (
        "description",
        lambda: churn_version(1).update(description="Better"),
        "churn v1: description was changed",
    ),
    (
        "description blanked, not erased",
        lambda: churn_version(1).update(description=""),
        "churn v1: description was changed",
    ),
    (
        "artifact location",
        lambda: churn_version(1).update(artifact_uri="s3://evil"),
        "churn v1: artifact_uri is s3://evil, but the log says s3://churn/1",
    ),
    (
        "artifact digest",
        lambda: churn_version(3).update(artifact_digest=f"sha256:{'0' * 64}"),
        "churn v3: artifact_digest is sha256:0000",
    ),
    (
        "file replaced",
        lambda: churn(models.ArtifactFile, 3, path="config.json").update(path="other.json"),
        "churn v3: its files do not have the digest of the log",
    ),
    (
        "findings of the inspection",
        lambda: churn_version(3).update(artifact_warnings=[], artifact_code=[]),
        "churn v3: findings was changed",
    ),
    (
        "version restored",
        lambda: churn_version(5).update(deleted_at=None),
        "churn v5: deleted_at is empty, but the log says 2026-",
    ),
    (
        "version added",
        lambda: models.ModelVersion.objects.create(
            model=version(1).model,
            number=9,
            created_at=NOW,
            updated_at=NOW,
            stage_entered_at=NOW,
        ),
        "churn v9: it has no event.",
    ),
    (
        "model added",
        lambda: models.RegisteredModel.objects.create(name="ghost", created_at=NOW, updated_at=NOW),
        "ghost: it has no event.",
    ),
    (
        "workflow",
        lambda: rows(models.RegisteredModel, name="churn").update(workflow="open"),
        "churn: workflow is open, but the log says empty",
    ),
    (
        "name of a model",
        lambda: rows(models.RegisteredModel, name="churn").update(name="leavers"),
        "leavers: name was changed",
    ),
    (
        "counter",
        lambda: rows(models.RegisteredModel, name="churn").update(staging_count=7),
        "churn: staging_count is 7, but the log says 1",
    ),
    (
        "champion",
        lambda: rows(models.RegisteredModel, name="churn").update(champion=version(3)),
        "churn: champion is 3, but the log says 1",
    ),
    (
        "policy",
        lambda: rows(models.PolicyRevision, model__name="churn").update(document={"stage": 1}),
        "churn: revision 1 of the policy for production: document was changed",
    ),
    (
        "policy out of force",
        lambda: rows(models.PolicyRevision, stage="staging", number=2).update(superseded_at=NOW),
        "registry: revision 2 of the policy for staging: superseded_at is 2026-07-01",
    ),
    (
        "check",
        lambda: churn(models.PolicyCheck, 4, to_stage="production").update(evidence={}),
        "churn v4: stored check ",
    ),
    (
        "request",
        lambda: churn(models.TransitionRequest, 4).update(status="withdrawn"),
        "status is withdrawn, but the log says open",
    ),
    (
        "review added",
        lambda: models.Vote.objects.create(
            request=churn(models.TransitionRequest, 4).get(),
            voter=user("ada"),
            decision="approve",
            evidence_digest="0" * 64,
            voted_at=NOW,
        ),
        "review 3 of the request ",
    ),
    (
        "review",
        lambda: rows(models.Vote, comment="Fine").update(voter=user("ada")),
        "review 1 of the request ",
    ),
    (
        "waiver",
        lambda: churn(models.Waiver, 5).update(expires_at=NOW + timedelta(days=999)),
        "expires_at is 2029-",
    ),
    (
        "guardrail",
        lambda: churn(models.Guardrail).update(bound=0.9),
        "churn: guardrail errors: bound is 0.9, but the log says 0.1",
    ),
    (
        "alert cleared",
        lambda: churn(models.Andon, 1).update(cleared_at=NOW),
        "churn v1: alert errors: cleared_at is 2026-07-01",
    ),
    (
        "WIP limit",
        lambda: rows(models.WipLimit, model=None).update(limit=99),
        "registry: WIP limit production: limit is 99, but the log says 3",
    ),
    (
        "governed alias",
        lambda: churn(models.GovernedAlias).update(mode="free", stage=""),
        "churn: governed alias next: stage is empty, but the log says staging",
    ),
    (
        "metric definition",
        lambda: rows(models.MetricDefinition, name="auc").update(direction="lower"),
        "registry: metric definition auc: direction is lower, but the log says higher",
    ),
    (
        "superuser",
        lambda: rows(models.User, username="eve").update(is_superuser=True),
        "registry: account eve: is_superuser is true, but the log says false",
    ),
    (
        "username",
        lambda: rows(models.User, username="eve").update(username="alice"),
        "registry: account alice: username was changed",
    ),
    (
        "account added",
        lambda: models.User.objects.create(username="mallory", is_superuser=True),
        "registry: account mallory has no event.",
    ),
    (
        "group of an account",
        lambda: user("eve").groups.add(group("administrator")),
        "registry: account eve: groups are administrator, but the log says none",
    ),
    (
        "permission of an account",
        lambda: user("eve").user_permissions.add(permission("promote")),
        "registry: account eve: permissions are boards.promote, but the log says none",
    ),
    (
        "permission of a group",
        lambda: group("viewer").permissions.add(permission("administer")),
        "registry: group viewer: it has more permissions than Obeya gives it: boards.administer.",
    ),
    (
        "group added",
        lambda: Group.objects.create(name="emperors"),
        "registry: group emperors: it is not a group of the registry",
    ),
    (
        "scopes of a token",
        lambda: rows(models.ApiToken, name="Deploys").update(scopes=["admin"]),
        "scopes is ['admin'], but the log says ['read', 'write']",
    ),
    (
        "secret of a token",
        lambda: rows(models.ApiToken, name="Deploys").update(token_hash="0" * 64),
        "secret was changed",
    ),
    (
        "token added",
        lambda: models.ApiToken.objects.create(
            user=user("ada"),
            name="Mine",
            shown="x",
            token_hash="1" * 64,
            scopes=["admin"],
            created_at=NOW,
            expires_at=NOW,
        ),
        "has no event.",
    ),
    (
        "sign-in link added",
        lambda: models.OneTimeLink.objects.create(
            user=user("ada"),
            token_hash="2" * 64,
            created_at=datetime.now(UTC),
            expires_at=datetime.now(UTC) + timedelta(hours=1),
        ),
        "registry: sign-in link of ada has no event.",
    ),
    (
        "used sign-in link usable again",
        lambda: link_again(user__username="grace"),
        "registry: sign-in link of grace: used_at is empty, but the log says ",
    ),
    (
        "ended sign-in link added again",
        restored_link,
        "registry: sign-in link of robert has no event.",
    ),
    (
        "sign-in link extended",
        lambda: rows(models.OneTimeLink, user__username="robert").update(
            expires_at=datetime.now(UTC) + timedelta(days=99)
        ),
        "registry: sign-in link of robert: expires_at is ",
    ),
    (
        "address of an endpoint",
        lambda: rows(models.Webhook, name="Chat").update(address="https://hooks.example.org/evil"),
        "address was changed",
    ),
    (
        "endpoint disabled",
        lambda: rows(models.Webhook, name="Chat").update(disabled_at=NOW),
        "disabled_at is 2026-07-01",
    ),
    (
        "content of a run file",
        lambda: rows(models.RunFile, path="runs/1/a.bin").update(
            blob=rows(models.RunFile, path="runs/0/a.bin").get().blob
        ),
        "registry: run file runs/1/a.bin: sha256 is ",
    ),
    (
        "who stored a run file",
        lambda: rows(models.RunFile, path="runs/0/a.bin").update(user=user("eve")),
        "registry: run file runs/0/a.bin: user is ",
    ),
    (
        "limit of a run file",
        lambda: rows(models.RunFile, path="runs/1/a.bin").update(models_digest="0" * 64),
        "registry: run file runs/1/a.bin: models_digest is 0000",
    ),
    (
        "run file added",
        lambda: models.RunFile.objects.create(
            path="runs/9/a.bin",
            blob=rows(models.RunFile, path="runs/1/a.bin").get().blob,
            user=user("ada"),
            stored_at=datetime(2020, 1, 1, tzinfo=UTC),
        ),
        "registry: run file runs/9/a.bin has no event.",
    ),
    (
        "run file moved",
        lambda: rows(models.RunFile, path="runs/1/a.bin").update(path="runs/8/a.bin"),
        f"registry: run file with the path {text_digest('runs/1/a.bin')} is missing (event ",
    ),
]


# Changes far from each other in the list, of different rows, are verified together.
BATCHES = 8
# Sentences about other changes would contain the new name, or the changes are of the same rows.
ALONE = {
    "name of a model",
    "username",
    "champion of another model",
    "policy of another model in a check",
    "findings in stored content",
    "inspection of stored content",
    "size of stored content",
    "findings with a seal",
    "head of the site chain",
    "site chain without a head",
    "model removed",
    "version removed",
    "accounts removed",
    "groups and permissions removed",
    "content removed",
    "policies removed",
    "ended sign-in link added again",
}


def after(change: Change) -> list[str]:
    """Return what the verification finds after a change, which is undone."""
    with transaction.atomic():
        change()
        report = verify_chains()
        transaction.set_rollback(True)
    return [*map(str, report.broken), *report.rows]


def test_every_write_function_was_called_and_everything_matches(full_registry: set[str]) -> None:
    assert {name for name, _ in write_functions()} - full_registry == NOT_CALLED
    report = verify_chains()
    assert (report.broken, report.rows) == ((), ())
    assert (report.differences, report.partial, report.erased) == (0, 0, 1)
    for table in COMPARED_TABLES:
        assert table.model._default_manager.exists(), table.table


@pytest.mark.usefixtures("full_registry")
def test_each_tampering_is_named() -> None:
    assert len(TAMPERING) >= 25
    alone = [[each] for each in TAMPERING if each[0] in ALONE]
    others = [each for each in TAMPERING if each[0] not in ALONE]
    with every_case() as case:
        for changes in (*alone, *(others[start::BATCHES] for start in range(BATCHES))):
            found = after(lambda batch=changes: [change() for _, change, _ in batch])
            for name, _, says in changes:
                with case(name):
                    assert any(says in sentence for sentence in found), found
    assert verify_chains().rows == ()


OTHER_VALUES: dict[str, Callable[[Any, Any], Any]] = {
    "JSONField": lambda _, value: [*value, "x"] if isinstance(value, list) else {"x": 1},
    "BooleanField": lambda _, value: not value,
    "DateTimeField": lambda _, value: NOW if value is None else value + timedelta(seconds=1),
    "FloatField": lambda _, value: 1.5 if value is None else value / 2 + 7,
    "UUIDField": lambda *_: "0b1b7c1e-62a9-4a0a-8f6e-9d0b5a3f2c77",
    "ForeignKey": lambda field, value: field.related_model.objects.exclude(pk=value).first().pk,
}
OTHER_WORDS = {"stage": "archived", "comparison": "gt", "mode": "warn", "target": "teams"}


def other_value(field: Any, value: Any) -> Any:
    kind = field.get_internal_type()
    if kind in OTHER_VALUES:
        return OTHER_VALUES[kind](field, value)
    if "Integer" in kind:
        return 1 if value is None else value + 1
    return OTHER_WORDS.get(field.name) or f"{value}x"[-(field.max_length or 99) :]


@pytest.mark.release
@pytest.mark.usefixtures("full_registry")
def test_every_compared_column_is_compared() -> None:
    with every_case() as case:
        for table in COMPARED_TABLES:
            columns = compared_columns(table.model)
            for field in table.model._meta.local_fields:
                if field.name not in columns or field.name in UNCOVERED.get(table.model, ()):
                    continue
                row = table.model._default_manager.order_by("-pk").first()
                value = other_value(field, getattr(row, field.attname))
                changed = table.model._default_manager.filter(pk=row.pk)
                with case(f"{table.table}: {field.name} {value}"):
                    assert after(lambda q=changed, f=field, v=value: q.update(**{f.attname: v}))


@pytest.mark.usefixtures("full_registry")
def test_the_number_of_statements_does_not_grow_with_the_models() -> None:
    taken = []
    for start in (0, 20):
        with CaptureQueriesContext(connection) as statements:
            verify_chains()
        taken.append(len(statements))
        registry = DatabaseRegistry(actor=user("ada"))
        for number in range(start, start + 20):
            made = registry.register_model(f"more{number}", metrics={"auc": 0.95}).version
            registry.transition_stage(f"more{number}", made, Stage.STAGING)
    assert taken[0] == taken[1] <= STATEMENTS
