"""Requirements on the artifact of a version: its digest, its size, what its files contain."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar
from urllib.parse import unquote

from obeya.errors import InvalidInput
from obeya.metrics import finite
from obeya.policy.bounds import number_text
from obeya.policy.requirements import (
    Definitions,
    Evidence,
    Outcome,
    RequirementOutcome,
    Rule,
)

MEBIBYTES_MAX = 1024**3
_MEBIBYTE = 1024**2
_WARNINGS_SAID = 3

# Suffixes of formats that run code when loaded, because they are, contain or can contain pickles:
# Python's pickle module, joblib.dump, torch.save (also as pytorch_model.bin), cloudpickle, dill and
# pandas' to_pickle.
PICKLE_SUFFIXES = frozenset(
    {
        ".bin",
        ".ckpt",
        ".cloudpickle",
        ".dill",
        ".joblib",
        ".p",
        ".pck",
        ".pickle",
        ".pkl",
        ".pt",
        ".pth",
    }
)
# Suffixes of other formats that run or can run code when loaded.
CODE_SUFFIXES = frozenset(
    {
        ".gguf",
        ".h5",
        ".hdf5",
        ".keras",
        ".mar",
        ".pb",
        ".py",
        ".pyc",
        ".sh",
        ".skops",
        ".torchscript",
    }
)
_SEPARATORS = re.compile(r"[/\\?#&;=,:@!|\s]+")


@dataclass(frozen=True, slots=True)
class ArtifactDigest(Rule):
    """The version's artifact must have a recorded digest."""

    def describe(self) -> str:
        """Return ``an artifact with a digest``."""
        return "an artifact with a digest"

    def check(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> RequirementOutcome:
        """Check whether a digest was recorded."""
        if evidence.artifact_digest:
            return RequirementOutcome.of_rule(
                self.describe(), Outcome.PASSED, f"The digest is {evidence.artifact_digest}."
            )
        what = "artifact has no digest" if evidence.artifact_path else "version has no artifact"
        return RequirementOutcome.of_rule(self.describe(), Outcome.MISSING, f"The {what}.")

    def to_document(self) -> dict[str, Any]:
        """Return ``{"artifact_digest": true}``."""
        return {"artifact_digest": True}


BY_NAME = "by_name"
"""The value of `unstored` with which files stored elsewhere are checked by their name."""

_BY_NAME_TEXT = {"": "", BY_NAME: ", by name if stored elsewhere"}
_NOT_YET = (
    "The files have not been inspected by this version of Obeya. Wait for the worker, or run "
    "obeya inspect."
)


@dataclass(frozen=True, slots=True)
class _InspectedFiles(Rule):
    """All files of the version were inspected, and nothing was found that the rule forbids.

    Files that are not stored in the registry fail; with `unstored` ``by_name`` the suffixes in the
    artifact's URI are checked instead.

    Raises:
        InvalidInput: `unstored` is neither empty nor ``by_name``.
    """

    unstored: str = ""
    key: ClassVar[str]
    line: ClassVar[str]
    clean: ClassVar[str]
    suffixes: ClassVar[frozenset[str]]

    def __post_init__(self) -> None:
        if self.unstored not in ("", BY_NAME):
            raise InvalidInput(f"unstored can only be {BY_NAME}.", field="requirements")

    def describe(self) -> str:
        """Return ``no pickle files``, and whether files stored elsewhere are checked by name."""
        return f"{self.line}{_BY_NAME_TEXT[self.unstored]}"

    def check(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> RequirementOutcome:
        """Check the findings in the files, or the suffixes in the artifact's URI."""
        found = self._found(evidence)
        outcome, sentence = _not_inspected(evidence, self.unstored, self.suffixes) or (
            (Outcome.FAILED, " ".join(found[:_WARNINGS_SAID]))
            if found
            else (Outcome.PASSED, f"All files were inspected and {self.clean}.")
        )
        return RequirementOutcome.of_rule(self.describe(), outcome, sentence)

    def to_document(self) -> dict[str, Any]:
        """Return ``{"no_pickle": true}``, with ``"unstored": "by_name"`` if that is set."""
        return {self.key: True} | ({"unstored": self.unstored} if self.unstored else {})

    @abstractmethod
    def _found(self, evidence: Evidence) -> Sequence[str]:
        """Return the findings in the files that the rule forbids."""


class NoPickle(_InspectedFiles):
    """All files of the version were inspected, and none contains a pickle.

    A pickle runs code when it is loaded (https://docs.python.org/3/library/pickle.html).
    """

    __slots__ = ()
    key = "no_pickle"
    line = "no pickle files"
    clean = "contain no pickle"
    suffixes = PICKLE_SUFFIXES

    def _found(self, evidence: Evidence) -> Sequence[str]:
        return evidence.artifact_warnings


class NoCode(_InspectedFiles):
    """All files of the version were inspected, and nothing in them runs when they are loaded.

    It includes `NoPickle`.
    """

    __slots__ = ()
    key = "no_code"
    line = "no files that run code when loaded"
    clean = "run no code when loaded"
    suffixes = PICKLE_SUFFIXES | CODE_SUFFIXES

    def _found(self, evidence: Evidence) -> Sequence[str]:
        return (*evidence.artifact_code, *evidence.artifact_warnings)


def _not_inspected(
    evidence: Evidence, unstored: str, suffixes: frozenset[str]
) -> tuple[Outcome, str] | None:
    """Return the outcome for an artifact whose files were not inspected, None if they were."""
    if evidence.artifact_size is not None:
        if evidence.artifact_inspected:
            return None
        return Outcome.MISSING, _NOT_YET
    if not evidence.artifact_path:
        return Outcome.MISSING, "The version has no artifact."
    if unstored != BY_NAME:
        return Outcome.MISSING, "The registry does not store the files, so they were not inspected."
    # All suffixes: "model.pkl.gz" is a pickle too.
    suffix = next((s for s in _suffixes(evidence.artifact_path) if s in suffixes), None)
    if suffix is None:
        return (
            Outcome.PASSED,
            "The registry does not store the files; their names do not indicate code.",
        )
    return (
        Outcome.FAILED,
        f"A {suffix} file can contain code that runs when it is loaded.",
    )


@dataclass(frozen=True, slots=True)
class MaximumSize(Rule):
    """A maximum total size, in MiB, of the version's files, which the registry must store.

    Raises:
        InvalidInput: the bound is not a number above 0 and up to 1,073,741,824 MiB (a pebibyte).
    """

    mebibytes: float

    def __post_init__(self) -> None:
        bound = finite(self.mebibytes, what="The maximum size of an artifact")
        if not 0 < bound <= MEBIBYTES_MAX:
            raise InvalidInput(
                "The maximum size of an artifact must be more than 0 and at most "
                f"{MEBIBYTES_MAX:,} MiB.",
                field="artifact_max_mib",
            )
        object.__setattr__(self, "mebibytes", bound)

    def describe(self) -> str:
        """Return ``an artifact of at most 500 MiB``."""
        return f"an artifact of at most {number_text(self.mebibytes)} MiB"

    def check(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> RequirementOutcome:
        """Compare the total size of all files with the bound."""
        line, size = self.describe(), evidence.artifact_size
        if size is None:
            return RequirementOutcome.of_rule(
                line,
                Outcome.MISSING,
                "The size is not known: the registry does not store the files.",
            )
        if size <= self.mebibytes * _MEBIBYTE:
            sentence = f"The files have {size:,} bytes."
            return RequirementOutcome.of_rule(line, Outcome.PASSED, sentence)
        return RequirementOutcome.of_rule(
            line,
            Outcome.FAILED,
            f"The files have {size:,} bytes; allowed: {number_text(self.mebibytes)} MiB.",
        )

    def to_document(self) -> dict[str, Any]:
        """Return ``{"artifact_max_mib": ...}``."""
        return {"artifact_max_mib": self.mebibytes}


def _suffixes(uri: str) -> list[str]:
    """Return every suffix in any part of a URI.

    Escapes are resolved, so that they cannot hide a suffix.
    """
    plain = uri.lower()
    while (unescaped := unquote(plain)) != plain:
        plain = unescaped
    return [suffix for name in _SEPARATORS.split(plain) for suffix in PurePosixPath(name).suffixes]
