"""Policy results in a pipeline: a table in the step summary, an annotation per failure.

The summary is Markdown, appended to the file in ``GITHUB_STEP_SUMMARY``. Annotations are workflow
commands of GitHub Actions, printed if ``GITHUB_ACTIONS`` is set. Forgejo and Gitea read both. On
other systems nothing is written, unless ``OBEYA_STEP_SUMMARY`` is set to a file.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from obeya.cli.output import outcome_word
from obeya.errors import Refusal
from obeya.policy.results import PolicyResult

_MARKS = {"passed": "✅", "waived": "🟡"}


def summarise(
    title: str,
    policy_result: PolicyResult | None,
    refusals: tuple[Refusal, ...] = (),
    *,
    address: str = "",
) -> None:
    """Write the table of a policy result and the reasons of a refusal for the pipeline.

    A summary that cannot be written is reported; it stops nothing.
    """
    path = os.environ.get("OBEYA_STEP_SUMMARY") or os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        try:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(markdown(title, policy_result, refusals, address=address))
        except OSError as error:
            click.echo(f"The step summary could not be written: {error}.", err=True)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for sentence in _failures(policy_result, refusals):
            click.echo(f"::error title={_escaped(title, ':,')}::{_escaped(sentence)}")


def markdown(
    title: str,
    policy_result: PolicyResult | None,
    refusals: tuple[Refusal, ...],
    *,
    address: str = "",
) -> str:
    """Return the table as GitHub Markdown; texts from the registry are escaped."""
    lines = [f"### {_cell(title)}", ""]
    if policy_result is not None:
        lines += [_cell(policy_result.sentence), ""]
        if policy_result.outcomes:
            lines += ["| Requirement | Outcome | Observed |", "| --- | --- | --- |"]
            lines += [
                f"| {_cell(row.requirement)} "
                f"| {_MARKS.get(row.outcome.value, '❌')} {outcome_word(row.outcome)} "
                f"| {_cell(row.sentence)} |"
                for row in policy_result.outcomes
            ]
            lines.append("")
    others = other_refusals(policy_result, refusals)
    lines += [f"- {_cell(refusal.sentence)}" for refusal in others]
    if address:
        lines += ["", f"[The policy result in Obeya](<{address}>)"]
    return "\n".join(lines).rstrip() + "\n\n"


def other_refusals(
    policy_result: PolicyResult | None, refusals: tuple[Refusal, ...]
) -> list[Refusal]:
    """Return the refusals that the policy result does not list as failed requirements."""
    failed = _failed(policy_result)
    return [refusal for refusal in refusals if refusal.sentence not in failed]


def _failures(policy_result: PolicyResult | None, refusals: tuple[Refusal, ...]) -> list[str]:
    others = other_refusals(policy_result, refusals)
    return _failed(policy_result) + [refusal.sentence for refusal in others]


def _failed(policy_result: PolicyResult | None) -> list[str]:
    return [row.sentence for row in policy_result.failures] if policy_result else []


def _cell(text: str) -> str:
    plain = " ".join(text.split())
    for character in "\\`*_{}[]<>|#":
        plain = plain.replace(character, f"\\{character}")
    return plain


def _escaped(text: str, also: str = "") -> str:
    """Escape a text for workflow commands: line breaks, and in properties ``:`` and ``,``."""
    for character in f"%\r\n{also}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
