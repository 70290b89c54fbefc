"""Policy files: policies and governed aliases in YAML, with errors that have line numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from obeya.aliases.governed import AliasMode, GovernedAlias
from obeya.errors import InvalidInput
from obeya.policy.policy import PromotionPolicy
from obeya.policy.text import policy_as_plain, policy_from_plain
from obeya.stages import Stage

BYTES_MAX = 1_000_000
DEPTH_MAX = 8
POLICIES, ALIASES = "policies", "governed_aliases"
HEAD = """\
# The current promotion policies. Change them and run `obeya policy apply FILE`. A policy without
# a model is a default policy. docs/policies.md describes the format.
"""


class PolicyFileError(Exception):
    """A file that does not contain valid policies. `line` is that of the first error, from 1.

    `problems` has a sentence for each error, which begins with its line.
    """

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(f"line {line}: {sentence}")
        self.line = line
        self.problems: tuple[str, ...] = (str(self),)

    @classmethod
    def of(cls, errors: Sequence[PolicyFileError]) -> PolicyFileError:
        """Return one error with the problems of all of them."""
        all_or_nothing = cls(errors[0].line, "")
        all_or_nothing.problems = tuple(problem for error in errors for problem in error.problems)
        all_or_nothing.args = ("\n".join(all_or_nothing.problems),)
        return all_or_nothing


@dataclass(frozen=True, slots=True)
class FilePolicy:
    """One policy of a file, a model policy or (None) a default policy, and its first line.

    `metric_lines` has the line of the first mention of each metric.
    """

    model: str | None
    policy: PromotionPolicy
    line: int
    metric_lines: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FileAlias:
    """A governed alias of a file, for one model or (None) for all, and its first line."""

    model: str | None
    governed: GovernedAlias
    line: int


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """The contents of a policy file, in its order."""

    policies: list[FilePolicy]
    governed_aliases: list[FileAlias]

    @property
    def models(self) -> list[tuple[str, int]]:
        """The name of the model of each entry that has one, and the entry's line."""
        entries: list[FilePolicy | FileAlias] = [*self.policies, *self.governed_aliases]
        return [(each.model, each.line) for each in entries if each.model is not None]


def write_policy_file(
    policies: Iterable[tuple[str | None, PromotionPolicy]],
    governed_aliases: Iterable[tuple[str | None, GovernedAlias]] = (),
) -> str:
    """Return the text of a file with these contents, each with its model or None for default."""
    entries = []
    for model, policy in policies:
        where: dict[str, Any] = {"stage": policy.stage.value if policy.stage else None}
        if model is not None:
            where["model"] = model
        entries.append({**where, **policy_as_plain(policy)})
    document = {"policies": entries}
    if aliases := [_alias_as_plain(model, governed) for model, governed in governed_aliases]:
        document["governed_aliases"] = aliases
    body = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100, indent=2)
    return HEAD + body


def _alias_as_plain(model: str | None, governed: GovernedAlias) -> dict[str, Any]:
    plain = {
        "alias": governed.alias,
        "model": model,
        "mode": governed.mode.value,
        "stage": governed.stage.value if governed.stage else None,
    }
    return {key: value for key, value in plain.items() if value is not None}


def read_policy_file(text: str) -> PolicyFile:
    """Return the contents of a file.

    Only plain values are read: no tags, no anchors.

    Raises:
        PolicyFileError: the text is not YAML, has an unknown or duplicate key, or an invalid
            policy or alias; has all of the errors, unless the text cannot be read at all.
    """
    if len(text.encode()) > BYTES_MAX:
        raise PolicyFileError(1, f"The file is larger than {BYTES_MAX:,} bytes.")
    listed = _entries(_root(text))
    policies, errors = _read_policies(listed[POLICIES])
    aliases, more_errors = _read_aliases(listed[ALIASES])
    if errors := [*errors, *more_errors]:
        raise PolicyFileError.of(errors)
    return PolicyFile(policies, aliases)


def _read_policies(nodes: Iterable[yaml.Node]) -> tuple[list[FilePolicy], list[PolicyFileError]]:
    found: dict[tuple[str | None, Stage], int] = {}
    policies, errors = [], []
    for node in nodes:
        try:
            read = _policy(node)
        except PolicyFileError as error:
            errors.append(error)
            continue
        assert read.policy.stage is not None  # noqa: S101 - for mypy: _policy sets one
        place = (read.model, read.policy.stage)
        if place in found:
            whose = f"policy of {read.model}" if read.model else "default policy"
            errors.append(
                PolicyFileError(
                    read.line,
                    f"Duplicate {whose} for {place[1].label}, also on line {found[place]}.",
                )
            )
        found[place] = read.line
        policies.append(read)
    return policies, errors


def _read_aliases(nodes: Iterable[yaml.Node]) -> tuple[list[FileAlias], list[PolicyFileError]]:
    found: dict[tuple[str | None, str], int] = {}
    aliases, errors = [], []
    for node in nodes:
        try:
            read = _alias(node)
            place = (read.model, read.governed.key)
            if place in found:
                raise PolicyFileError(
                    read.line,
                    f"Duplicate alias “{read.governed.alias}”; it is on line {found[place]} too.",
                )
        except PolicyFileError as error:
            errors.append(error)
        else:
            found[place] = read.line
            aliases.append(read)
    return aliases, errors


def _alias(node: yaml.Node) -> FileAlias:
    line = _line(node)
    parts = dict(_pairs(node, "A governed alias must be a mapping with the key “alias”."))
    for name, (key, _) in parts.items():
        if name not in ("alias", "model", "mode", "stage"):
            raise PolicyFileError(_line(key), f"Unknown key “{name[:64]}” in a governed alias.")
    if "alias" not in parts:
        raise PolicyFileError(line, "The key “alias” is missing.")
    plain = {name: _plain(value) for name, (_, value) in parts.items()}
    for name, value in plain.items():
        if not isinstance(value, str) or not value:
            raise PolicyFileError(_line(parts[name][1]), f"“{name}” must be text.")
    try:
        governed = GovernedAlias(
            plain["alias"],
            Stage.parse(plain.get("stage", Stage.PRODUCTION)),
            plain.get("mode", AliasMode.FOLLOWS),
        )
    except InvalidInput as error:
        raise PolicyFileError(line, str(error)) from None
    return FileAlias(plain.get("model"), governed, line)


def _root(text: str) -> yaml.Node:
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEPTH_MAX:
                raise PolicyFileError(1, f"The file is nested more than {DEPTH_MAX} levels deep.")
            if isinstance(event, yaml.AliasEvent):
                mark = event.start_mark
                raise PolicyFileError(
                    mark.line + 1 if mark else 1,
                    "Anchors and aliases are not supported. Write the value out.",
                )
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        sentence = f"The file is not valid YAML: {error.problem or error.context}."
        raise PolicyFileError(mark.line + 1 if mark else 1, sentence) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise PolicyFileError(1, f"The file is not valid YAML: {error}"[:200]) from None
    if root is None:
        raise PolicyFileError(1, "The file is empty; it needs “policies:” with a list.")
    return root


def _entries(root: yaml.Node) -> dict[str, list[yaml.Node]]:
    """Return the entries of each list of the file."""
    parts = dict(_pairs(root, "A policy file must be a mapping with the key “policies”."))
    for name, (key, _) in parts.items():
        if name not in (POLICIES, ALIASES):
            raise PolicyFileError(
                _line(key), f"Unknown key “{name[:64]}”. Use “{POLICIES}” or “{ALIASES}”."
            )
    if not parts:
        raise PolicyFileError(_line(root), "The key “policies” is missing.")
    listed: dict[str, list[yaml.Node]] = {POLICIES: [], ALIASES: []}
    for name, (_, value) in parts.items():
        if not isinstance(value, yaml.SequenceNode):
            raise PolicyFileError(_line(value), f"“{name}” must be a list.")
        listed[name] = list(value.value)
    return listed


def _policy(node: yaml.Node) -> FilePolicy:
    line = _line(node)
    parts = dict(_pairs(node, "A policy must be a mapping with “stage” and “requirements”."))
    errors: list[PolicyFileError] = []
    # If the stage is invalid, any stage works for checking the rest.
    stage = Stage.STAGING
    try:
        stage = _stage(parts.pop("stage", None), line)
    except PolicyFileError as error:
        errors.append(error)
    model = None
    if "model" in parts:
        _, value = parts.pop("model")
        model = _plain(value)
        if not isinstance(model, str) or not model:
            raise PolicyFileError(_line(value), "“model” must be the name of a model.")
    # Each requirement is read separately first, so that an error has its line.
    metric_lines: dict[str, int] = {}
    for name, node_of, key_line in _parts_alone(parts):
        try:
            plain = _plain(node_of)
            read = _attempt(stage, {name: [plain] if name == "requirements" else plain}, key_line)
        except PolicyFileError as error:
            errors.append(error)
        else:
            for metric in read.metric_names:
                metric_lines.setdefault(metric, key_line)
    if errors:
        raise PolicyFileError.of(errors)
    whole = {name: _plain(value) for name, (_, value) in parts.items()}
    return FilePolicy(model, _attempt(stage, whole, line), line, metric_lines)


def _parts_alone(
    parts: Mapping[str, tuple[yaml.Node, yaml.Node]],
) -> Iterator[tuple[str, yaml.Node, int]]:
    """Yield each requirement, and each other part of a policy, with its key and line."""
    for name, (key, value) in parts.items():
        if name != "requirements":
            yield name, value, _line(key)
        elif isinstance(value, yaml.SequenceNode):
            for item in value.value:
                yield name, item, _line(item)
        else:
            raise PolicyFileError(_line(value), "“requirements” must be a list.")


def _attempt(stage: Stage, plain: dict[str, Any], line: int) -> PromotionPolicy:
    try:
        return policy_from_plain(stage, plain)
    except InvalidInput as error:
        raise PolicyFileError(line, str(error)) from None


def _stage(part: tuple[yaml.Node, yaml.Node] | None, line: int) -> Stage:
    if part is None:
        raise PolicyFileError(line, "The key “stage” is missing.")
    try:
        stage = Stage.parse(str(_plain(part[1])))
        PromotionPolicy(stage)
    except InvalidInput as error:
        raise PolicyFileError(_line(part[1]), str(error)) from None
    return stage


def _pairs(node: yaml.Node, otherwise: str) -> Iterator[tuple[str, tuple[yaml.Node, yaml.Node]]]:
    if not isinstance(node, yaml.MappingNode):
        raise PolicyFileError(_line(node), otherwise)
    seen = set()
    for key, value in node.value:
        name = str(_plain(key))
        if name in seen:
            raise PolicyFileError(_line(key), f"Duplicate key “{name[:64]}”.")
        seen.add(name)
        yield name, (key, value)


def _plain(node: yaml.Node) -> Any:
    """Return the node as plain Python values."""
    if isinstance(node, yaml.MappingNode):
        return {name: _plain(value) for name, (_, value) in _pairs(node, "")}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    loader = yaml.SafeLoader("")
    try:
        value = loader.construct_object(node)
    except (yaml.YAMLError, ValueError, OverflowError):
        raise PolicyFileError(_line(node), f"“{node.value[:64]}” is not a valid value.") from None
    finally:
        loader.dispose()
    if isinstance(value, float) and not math.isfinite(value):
        raise PolicyFileError(_line(node), f"“{node.value[:64]}” is not a finite number.")
    if value is not None and not isinstance(value, str | bool | int | float):
        # For example a date: the author meant text.
        return node.value
    return value


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
