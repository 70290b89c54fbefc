"""Commands that check, move and roll back versions."""

from __future__ import annotations

import time

import click

from obeya.cli.connection import STAGE, Session, connected, named_model, named_version
from obeya.cli.output import say_json, say_policy_result
from obeya.cli.step_summary import other_refusals, summarise
from obeya.documents.catalog import transition_document
from obeya.documents.governance import request_document
from obeya.documents.policy_results import policy_result_document as policy_result_as_document
from obeya.documents.policy_results import refusal_documents
from obeya.errors import AlreadyExists, NotAllowed, RefusalKind
from obeya.records import ModelVersion, StageTransition
from obeya.refusals import TransitionRefused
from obeya.stages import Stage
from obeya.transitions.requests import RequestStatus, TransitionRequest
from obeya.transitions.versions import next_stage

POLL_SECONDS = 2.0
ARCHIVE = click.option(
    "--archive-existing/--keep-existing",
    default=None,
    show_default="as in the open request, else keep",
    help="Archive or keep the versions that are now in the target stage.",
)
# Exit status of a failed check and of a refused move.
FAILED = 1
_ENDS = {
    RequestStatus.REJECTED: "was rejected",
    RequestStatus.WITHDRAWN: "was withdrawn",
    RequestStatus.EXPIRED: "expired",
}


@click.command
@named_version
@click.option("--stage", type=STAGE, help="The target stage.", show_default="the next stage")
@connected
def check(session: Session, model: str, version: str, stage: Stage | None) -> None:
    """Check a version against the promotion policy and store the policy result.

    Approvals, the workflow and WIP limits are not part of the check. A token with the scope read
    only gets the result, which is then not stored.

    Exit status 0: passed; 1: failed.
    """
    found = session.version(model, version)
    to_stage = stage or next_stage(found.stage)
    check_id, address = "", ""
    try:
        check_id, policy_result = session.registry.store_check(model, found.version, to_stage)
        address = session.page(f"/checks/{check_id}/")
    except NotAllowed as error:
        policy_result = session.registry.check_promotion_policy(
            model, found.version, to_stage=to_stage
        )
        click.echo(f"The policy check was not stored. {error}", err=True)
    summarise(f"Policy check of {found} for {to_stage.label}", policy_result, address=address)
    if session.as_json:
        say_json(
            {
                "check": check_id or None,
                "address": address or None,
                "policy_result": policy_result_as_document(policy_result),
            }
        )
    else:
        say_policy_result(policy_result)
        if address:
            click.echo(address)
    if not policy_result.passed:
        click.get_current_context().exit(FAILED)


@click.command
@named_version
@click.option("--stage", type=STAGE, help="The target stage.", show_default="the next stage")
@click.option("--reason", default="", help="The reason, stored in the audit log.")
@ARCHIVE
@click.option(
    "--wait",
    type=click.IntRange(min=0),
    metavar="SECONDS",
    help="If only approvals are missing, request them, and wait at most this long for them.",
)
@connected
def promote(
    session: Session,
    model: str,
    version: str,
    stage: Stage | None,
    reason: str,
    archive_existing: bool | None,
    wait: int | None,
) -> None:
    """Move a version to its next stage, or to --stage.

    The workflow, the policy with its approvals, and WIP limits must allow the move. With --wait,
    the command ends when the version was moved, the request was closed, or the time has passed. In
    the last case the request stays open.

    Exit status 0: moved; 1: refused, with every reason.
    """
    found = session.version(model, version)
    to_stage = stage or next_stage(found.stage)
    _move(session, found, to_stage, reason, archive_existing=archive_existing, wait=wait)


@click.command
@named_version
@click.option("--stage", type=STAGE, required=True, help="The target stage.")
@click.option("--reason", default="", help="The reason, stored in the audit log.")
@ARCHIVE
@connected
def transition(
    session: Session,
    model: str,
    version: str,
    stage: Stage,
    reason: str,
    archive_existing: bool | None,
) -> None:
    """Move a version to any stage, also back or to Archived.

    The workflow, the policy with its approvals, and WIP limits must allow the move.

    Exit status 0: moved; 1: refused, with every reason.
    """
    found = session.version(model, version)
    _move(session, found, stage, reason, archive_existing=archive_existing, wait=None)


def _move(
    session: Session,
    version: ModelVersion,
    to_stage: Stage,
    reason: str,
    *,
    archive_existing: bool | None,
    wait: int | None,
) -> None:
    title = f"{version} to {to_stage.label}"
    if archive_existing is None:
        archive_existing = _request_archives(session, version, to_stage)
    until = time.monotonic() + (wait or 0)
    asked = False
    while True:
        try:
            move = session.registry.transition_stage(
                version.model,
                version.version,
                to_stage,
                reason=reason,
                archive_existing=archive_existing,
            )
        except TransitionRefused as refused:
            only_approvals = {r.kind for r in refused.refusals} == {RefusalKind.APPROVALS}
            if wait is None or not only_approvals or time.monotonic() >= until:
                _say_refused(session, title, refused)
                return
            if not asked:
                _ask(session, version, to_stage, reason, archive_existing=archive_existing)
                asked = True
            if not _is_open_or_moved(session, version, to_stage, until):
                _say_refused(session, title, refused)
                return
            now = session.registry.get_version(version.model, version.version)
            if now.stage is to_stage:
                # The last approval promoted it automatically.
                move = session.registry.get_transitions(version.model, version.version)[-1]
            else:
                continue
        _say_moved(session, title, move)
        return


def _request_archives(session: Session, version: ModelVersion, to_stage: Stage) -> bool:
    """Return whether the open request for the move archives the versions in the target stage."""
    return any(
        request.archive_existing
        for request in session.registry.get_requests(version.model, version.version)
        if request.to_stage is to_stage and request.status is RequestStatus.OPEN
    )


def _ask(
    session: Session, version: ModelVersion, to_stage: Stage, reason: str, *, archive_existing: bool
) -> None:
    try:
        request = session.registry.request_transition(
            version.model,
            version.version,
            to_stage,
            reason=reason,
            archive_existing=archive_existing,
        )
    except AlreadyExists:
        address = _open_request(session, version.model, version.version, to_stage)
        click.echo(f"Waiting for the open request: {address}", err=True)
        return
    click.echo(f"Requested approval: {_page_of(session, request)}", err=True)


def _open_request(session: Session, model: str, number: int, to_stage: Stage | None) -> str:
    """Return the address of the open request of a version; empty if it was closed meanwhile."""
    for request in session.registry.get_requests(model, number):
        if request.status is RequestStatus.OPEN and to_stage in (None, request.to_stage):
            return _page_of(session, request)
    return ""


def _page_of(session: Session, request: TransitionRequest) -> str:
    return session.page(f"/requests/{request.id}/")


def _is_open_or_moved(
    session: Session, version: ModelVersion, to_stage: Stage, until: float
) -> bool:
    """Wait until the request has its approvals or the version was moved.

    Returns False when neither can happen any more or the time is up.
    """
    while time.monotonic() < until:
        time.sleep(min(POLL_SECONDS, max(0.0, until - time.monotonic())))
        judgement = session.registry.can_promote(version.model, version.version, to_stage)
        if judgement.from_stage is to_stage or not judgement.refused_by(RefusalKind.APPROVALS):
            return True
        requests = session.registry.get_requests(version.model, version.version)
        newest = next((r for r in requests if r.to_stage is to_stage), None)
        if newest is None or newest.status not in (RequestStatus.OPEN, RequestStatus.COMPLETED):
            click.echo(
                f"The request {_ENDS[newest.status]}: {_page_of(session, newest)}"
                if newest
                else "The request no longer exists.",
                err=True,
            )
            return False
    click.echo(
        "The waiting time has passed, and approvals are missing. The request stays open: run the "
        "same command again when it is approved.",
        err=True,
    )
    return False


def _say_moved(session: Session, title: str, move: StageTransition) -> None:
    if session.as_json:
        say_json(transition_document(move))
    else:
        archived = ", ".join(f"v{number}" for number in move.archived)
        also = f" Archived: {archived}." if archived else ""
        click.echo(f"{move.model} v{move.version} is in {move.to_stage.label}.{also}")
    summarise(f"{title}: moved", None)


def _say_refused(session: Session, title: str, refused: TransitionRefused) -> None:
    address = session.page(f"/checks/{refused.check_id}/") if refused.check_id else ""
    summarise(f"{title}: refused", refused.policy_result, refused.refusals, address=address)
    if session.as_json:
        policy_result = refused.policy_result
        say_json(
            {
                "refusals": refusal_documents(refused.refusals),
                "policy_result": policy_result_as_document(policy_result)
                if policy_result
                else None,
                "check": refused.check_id,
            }
        )
    else:
        if refused.policy_result is not None and refused.policy_result.outcomes:
            # It lists the failed requirements, which are not repeated below.
            say_policy_result(refused.policy_result)
        for refusal in other_refusals(refused.policy_result, refused.refusals):
            click.echo(f"refused: {refusal.sentence}", err=True)
        if address:
            click.echo(address, err=True)
    click.get_current_context().exit(FAILED)


@click.command
@named_version
@click.option("--stage", type=STAGE, help="The target stage.", show_default="the next stage")
@click.option("--reason", default="", help="The reason, for the reviewers.")
@click.option(
    "--archive-existing",
    is_flag=True,
    help="Archive the versions that are in the stage at the time of the move.",
)
@connected
def request(
    session: Session,
    model: str,
    version: str,
    stage: Stage | None,
    reason: str,
    archive_existing: bool,
) -> None:
    """Request approval for a move."""
    number = session.version(model, version).version
    try:
        made = session.registry.request_transition(
            model, number, stage, reason=reason, archive_existing=archive_existing
        )
    except AlreadyExists as error:
        address = _open_request(session, model, number, stage)
        raise AlreadyExists(f"{error} {address}".rstrip()) from None
    if session.as_json:
        say_json(request_document(made))
        return
    click.echo(f"Requested approval to move {model} v{number} to {made.to_stage.label}:")
    click.echo(_page_of(session, made))


@click.command
@named_version
@click.option(
    "--stage", type=STAGE, help="The request's target stage, if there are several requests."
)
@click.option("--comment", default="", help="A comment.")
@click.option("--reject", "rejects", is_flag=True, help="Reject the request; requires a comment.")
@connected
def approve(
    session: Session, model: str, version: str, stage: Stage | None, comment: str, rejects: bool
) -> None:
    """Approve (or --reject) the open request for a version."""
    number = session.version(model, version).version
    review = session.registry.reject if rejects else session.registry.approve
    made = review(model, number, comment=comment, to_stage=stage)
    if session.as_json:
        say_json(request_document(made))
        return
    done = "Rejected" if rejects else "Approved"
    click.echo(f"{done} the request for {model} v{number}. Its status: {made.status.value}.")
    if made.ignored_by and made.reviews[-1].reviewer in made.ignored_by:
        click.echo(
            "Your approval does not count: the policy counts only approvals by people, and this "
            "token belongs to a service account.",
            err=True,
        )


@click.command
@named_model
@click.option(
    "--to-version",
    type=click.IntRange(min=1),
    show_default="the last good version",
    help="The version to restore.",
)
@click.option("--reason", required=True, help="The reason, stored in the audit log.")
@connected
def rollback(session: Session, model: str, to_version: int | None, reason: str) -> None:
    """Move the last good version back to Production and archive the others there.

    The last good version is the one that left Production last, but not in a rollback.
    """
    move = session.registry.rollback(model, to_version, reason=reason)
    if session.as_json:
        say_json(transition_document(move))
        return
    archived = ", ".join(f"v{number}" for number in move.archived)
    click.echo(f"{model} v{move.version} is back in Production; archived: {archived}.")
