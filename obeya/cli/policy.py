"""`obeya policy`: promotion policies as a file, for a server or the local installation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import click

from obeya import names
from obeya.aliases.governed import AliasSource, GovernedAlias
from obeya.cli.connection import TOKEN, URL
from obeya.cli.options import database_options
from obeya.cli.output import say_json
from obeya.cli.server import JoiningGroup, joined_commands, require_server
from obeya.errors import NotFound
from obeya.filters.expressions import Has, MetricName
from obeya.policy.file import (
    FilePolicy,
    PolicyFile,
    PolicyFileError,
    read_policy_file,
    write_policy_file,
)
from obeya.policy.policy import PromotionPolicy
from obeya.refusals import Conflict
from obeya.remote.registry import RemoteRegistry
from obeya.stages import Stage

WOULD_CHANGE = 10
F = TypeVar("F", bound=Callable[..., Any])
InForce = Mapping[tuple[str | None, Stage | None], tuple[PromotionPolicy, int]]
Governed = Sequence[tuple[str | None, GovernedAlias]]


class BadFile(click.ClickException):
    """A policy file that is not valid."""

    exit_code = 2


class ChangedMeanwhile(click.ClickException):
    """Someone else created another revision between reading and writing."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A policy to set: a model policy or (None) the default policy.

    `revision` is that of the policy in force when the change was computed, 0 if there was none.
    """

    model: str | None
    policy: PromotionPolicy
    revision: int


@dataclass(frozen=True, slots=True)
class AliasChange:
    """A governed alias to configure, for one model or (None) for all."""

    model: str | None
    governed: GovernedAlias


Change = PolicyChange | AliasChange


class PolicyGroup(JoiningGroup):
    """The commands of the core, and those that the server package adds."""

    def joined(self) -> Mapping[str, Callable[[], object]]:
        """Return the commands for the local installation."""
        commands = joined_commands("policy")
        return {name: partial(commands.__getitem__, name) for name in commands}


def _where(function: F) -> F:
    for option in (
        TOKEN,
        click.option(
            "--url",
            envvar="OBEYA_URL",
            show_envvar=True,
            show_default="the local installation",
            help="The address of the server.",
        ),
    ):
        function = option(function)
    return database_options(function)


@click.group(cls=PolicyGroup)
def policy() -> None:
    """Manage promotion policies and governed aliases as a file.

    export and apply use the server in --url or OBEYA_URL, else the local installation (--data-dir).
    simulate always uses a server.
    """


@policy.command
@_where
@click.pass_context
def export(ctx: click.Context, /, url: str | None, token: str, **options: Any) -> None:
    """Write the current policies and governed aliases to standard output as YAML."""
    if _is_about_installation(url, options):
        _hand_over(ctx, "export", **options)
        return
    registry = RemoteRegistry(url, token)
    policies = [(model, policy) for model, _, policy in registry.get_policies()]
    click.echo(write_policy_file(policies, _configured(registry)), nl=False)


@policy.command
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--dry-run", is_flag=True, help="Only show what would change; exit status 10 if anything would."
)
@_where
@click.pass_context
def apply(
    ctx: click.Context,
    /,
    *,
    file: Path,
    dry_run: bool,
    url: str | None,
    token: str,
    **options: Any,
) -> None:
    """Apply the policies and governed aliases of a YAML file. Those that it does not list stay.

    Exit status 0: applied, or nothing to do; 10 with --dry-run: something would change; 2: the
    file is invalid; 4: a policy was changed meanwhile. On the local installation all policies
    change or none does; over the network they change one by one, in the order of the file.
    """
    if _is_about_installation(url, options):
        _hand_over(ctx, "apply", file=file, dry_run=dry_run, **options)
        return
    registry = RemoteRegistry(url, token)
    wanted = read_file(file)
    refuse_unknown(file, _unknown_models(registry, wanted), _unmeasured(registry, wanted.policies))
    in_force: InForce = {
        (model, policy.stage): (policy, revision)
        for model, revision, policy in registry.get_policies()
    }

    def make(changes: Sequence[Change]) -> None:
        for change in changes:
            if isinstance(change, PolicyChange):
                registry.replace_policy(change.policy, change.model, change.revision)
            else:
                registry.set_governed_alias(change.governed, change.model)

    apply_file(wanted, in_force, _configured(registry), make, dry_run=dry_run)


@policy.command
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@URL
@TOKEN
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def simulate(file: Path, url: str, token: str, *, as_json: bool) -> None:
    """Show how many versions and past promotions would pass the policies of a file.

    Uses a server, also for the local installation, and changes nothing there.
    """
    registry = RemoteRegistry(url, token)
    found = [
        (entry, registry.simulate_policy(entry.policy, entry.model))
        for entry in read_file(file).policies
    ]
    if as_json:
        say_json([{"model": entry.model, **result} for entry, result in found])
        return
    for entry, result in found:
        click.echo(f"{_place(entry.model, entry.policy)}:")
        aside = " (ignoring approvals)" if entry.policy.required_approvals else ""
        click.echo(f"  {result['would_pass']:,} of {result['versions']:,} versions pass{aside}")
        what = "had a warning" if result["only_warns"] else "been refused"
        click.echo(
            f"  {result['would_refuse']:,} of {result['promotions']:,} past promotions "
            f"would have {what}"
        )


def read_file(file: Path) -> PolicyFile:
    """Return the contents of a file. Raises `BadFile` with its name and the line."""
    try:
        return read_policy_file(file.read_text("utf-8"))
    except PolicyFileError as error:
        raise BadFile("\n".join(f"{file}: {problem}" for problem in error.problems)) from None
    except UnicodeDecodeError:
        raise BadFile(f"{file}: the file is not UTF-8.") from None


def refuse_unknown(file: Path, models: Iterable[str], metrics: Iterable[str]) -> None:
    """Warn about metrics that no version has yet, and refuse a file with unknown models.

    A policy can be set before the first version, so an unmeasured metric is not an error.

    Raises:
        BadFile: a model does not exist.
    """
    for problem in metrics:
        click.echo(f"{file}: {problem} The requirement fails until a version has it.", err=True)
    listed = "\n".join(f"{file}: {problem}" for problem in models)
    if listed:
        raise BadFile(listed)


def apply_file(
    wanted: PolicyFile,
    in_force: InForce,
    governed: Governed,
    make: Callable[[Sequence[Change]], None],
    *,
    dry_run: bool,
) -> None:
    """Print the differences from what is in force, and apply them unless it is a dry run.

    Raises:
        ChangedMeanwhile: a policy was changed after `in_force` was read.
    """
    changes: list[Change] = []
    for entry in wanted.policies:
        model = None if entry.model is None else names.stored_form(entry.model)
        present, revision = in_force.get((model, entry.policy.stage), (None, 0))
        if present is None or not present.is_equivalent_to(entry.policy):
            _show(model, present, entry.policy)
            changes.append(PolicyChange(model, entry.policy, revision))
    configured = {(model, each.key): each for model, each in governed}
    for alias in wanted.governed_aliases:
        model = None if alias.model is None else names.stored_form(alias.model)
        before = configured.get((model, alias.governed.key))
        if before != alias.governed:
            _show_alias(model, before, alias.governed)
            changes.append(AliasChange(model, alias.governed))
    if not changes:
        click.echo("Nothing to change.")
    elif dry_run:
        raise SystemExit(WOULD_CHANGE)
    else:
        try:
            make(changes)
        except Conflict as error:
            raise ChangedMeanwhile(f"{error} Run the command again.") from None
        count, aliases = len(changes), sum(isinstance(each, AliasChange) for each in changes)
        words = ("entry", "entries") if aliases else ("policy", "policies")
        click.echo(f"Changed {count} {words[0] if count == 1 else words[1]}.")


def _show_alias(model: str | None, old: GovernedAlias | None, new: GovernedAlias) -> None:
    click.echo(f"{model or 'all models'}, alias {new.alias}:")
    click.echo(f"  + {new.describe()}")
    if old is not None:
        click.echo(f"  - {old.describe()}")


def _configured(registry: RemoteRegistry) -> Governed:
    return [
        (model, governed)
        for model, governed in registry.list_governed_aliases()
        if governed.source is not AliasSource.WORKFLOW
    ]


def _show(model: str | None, old: PromotionPolicy | None, new: PromotionPolicy) -> None:
    click.echo(f"{_place(model, new)}:")
    before = old.lines if old else ()
    for line in new.lines:
        if line not in before:
            click.echo(f"  + {line}")
    for line in before:
        if line not in new.lines:
            click.echo(f"  - {line}")
    if not before and not new.lines:
        click.echo("  + no requirements")


def _place(model: str | None, policy: PromotionPolicy) -> str:
    whose = f"Policy of {model}" if model else "Default policy"
    return f"{whose} for {policy.stage.label}" if policy.stage else whose


def _unknown_models(registry: RemoteRegistry, wanted: PolicyFile) -> Iterator[str]:
    """Yield a problem for each model that does not exist on the server, with its line."""
    for model, line in wanted.models:
        try:
            registry.get_model(model)
        except NotFound as error:
            yield f"line {line}: {error}"


def _unmeasured(registry: RemoteRegistry, wanted: Iterable[FilePolicy]) -> Iterator[str]:
    """Yield a problem for each metric that no version on the server has, with its line."""
    known: dict[str, bool] = {}
    for entry in wanted:
        for metric, line in sorted(entry.metric_lines.items(), key=lambda named: named[1]):
            if metric not in known:
                known[metric] = _is_measured(registry, metric)
            if not known[metric]:
                yield f"line {line}: no version has the metric “{metric}” yet."


def _is_measured(registry: RemoteRegistry, metric: str) -> bool:
    found = registry.search_versions(str(Has(MetricName(metric))), page_size=1)
    return bool(list(islice(found, 1)))


def _is_about_installation(url: str | None, options: Mapping[str, Any]) -> bool:
    return not url or any(options.values())


def _hand_over(ctx: click.Context, name: str, **options: Any) -> None:
    require_server()
    ctx.invoke(joined_commands("policy")[name], **options)
