"""What `obeya doctor` finds; tests/packaging runs the command as a whole."""

from __future__ import annotations

from click.testing import CliRunner
from django.db import connection

from boards.models import Alias, AuditEvent, ModelVersion
from boards.registry.database import DatabaseRegistry
from obeya.stages import Stage
from registry_site.cli.doctor import doctor
from tests.append_only import drop_triggers


def test_aliases_that_break_their_rule_are_listed_and_not_changed(db: None) -> None:
    registry = DatabaseRegistry(actor=None)
    for number in range(1, 13):
        registry.register_model(f"m{number:02}")
    registry.transition_stage("m01", 1, Stage.STAGING)
    registry.transition_stage("m01", 1, Stage.PRODUCTION)
    well = CliRunner().invoke(doctor, [])
    assert "ok  Every governed alias points to where it belongs." in well.output

    for version in ModelVersion.objects.exclude(model__name="m01"):
        Alias.objects.create(model=version.model, version=version, name="champion")
    ill = CliRunner().invoke(doctor, [])
    assert ill.exit_code == 1
    assert (
        "BAD m02: “champion” points to v1, which is in Development, not in Production. "
        "Move v1 to Production, or delete the alias."
    ) in ill.output
    assert ill.output.count("“champion”") == 10
    assert "BAD 1 more governed aliases point to the wrong version." in ill.output
    assert Alias.objects.count() == 12


def test_a_broken_link_of_the_log_is_a_problem(db: None) -> None:
    DatabaseRegistry(actor=None).register_model("m")
    assert "ok  All tables that the audit log describes match it." in doctor_output()
    drop_triggers(connection)
    AuditEvent.objects.filter(sequence=1).update(hash="0" * 64)
    ill = CliRunner().invoke(doctor, [])
    assert ill.exit_code == 1
    assert "BAD Audit log: Chain " in ill.output
    assert "(m), event 1: " in ill.output
    assert "All tables" not in ill.output


def doctor_output() -> str:
    return CliRunner().invoke(doctor, []).output
