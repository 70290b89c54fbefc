"""Requirements on the artifact of a version: its digest, its size, what its files contain."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar
from urllib.parse import unquote

from obeya.errors import InvalidInput
from obeya.metrics import finite
from obeya.policy.bounds import number_text
from obeya.policy.requirements import Definitions, Evidence, Outcome, RequirementOutcome

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
class ArtifactDigest:
    """The version's artifact must have a recorded digest."""

    metric: ClassVar[str] = ""

    def describe(self) -> str:
        """Return ``an artifact with a digest``."""
        return "an artifact with a digest"

    def outcome(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> Outcome:
        """Return the outcome of `check`."""
        return self.check(evidence, champion, definitions).outcome

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


@dataclass(frozen=True, slots=True)
class NoPickle:
    """All files of the version were inspected, and none contains a pickle.

    A pickle runs code when it is loaded (https://docs.python.org/3/library/pickle.html). Files that
    are not stored in the registry fail; with `unstored` ``by_name`` the suffixes in the artifact's
    URI are checked instead.

    Raises:
        InvalidInput: `unstored` is neither empty nor ``by_name``.
    """

    unstored: str = ""
    metric: ClassVar[str] = ""

    def __post_init__(self) -> None:
        _check_unstored(self.unstored)

    def describe(self) -> str:
        """Return ``no pickle files``."""
        return f"no pickle files{_BY_NAME_TEXT[self.unstored]}"

    def outcome(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> Outcome:
        """Return the outcome of `check`."""
        return self.check(evidence, champion, definitions).outcome

    def check(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> RequirementOutcome:
        """Check the findings in the files, or the suffixes in the artifact's URI."""
        outcome, sentence = _not_inspected(evidence, self.unstored, PICKLE_SUFFIXES) or (
            (Outcome.FAILED, " ".join(evidence.artifact_warnings[:_WARNINGS_SAID]))
            if evidence.artifact_warnings
            else (Outcome.PASSED, "All files were inspected and contain no pickle.")
        )
        return RequirementOutcome.of_rule(self.describe(), outcome, sentence)

    def to_document(self) -> dict[str, Any]:
        """Return ``{"no_pickle": true}``, with ``"unstored": "by_name"`` if that is set."""
        return {"no_pickle": True, **_unstored_document(self.unstored)}


@dataclass(frozen=True, slots=True)
class NoCode:
    """All files of the version were inspected, and nothing in them runs when they are loaded.

    It includes `NoPickle`, and treats files that are not stored in the registry in the same way.

    Raises:
        InvalidInput: `unstored` is neither empty nor ``by_name``.
    """

    unstored: str = ""
    metric: ClassVar[str] = ""

    def __post_init__(self) -> None:
        _check_unstored(self.unstored)

    def describe(self) -> str:
        """Return ``no files that run code when loaded``."""
        return f"no files that run code when loaded{_BY_NAME_TEXT[self.unstored]}"

    def outcome(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> Outcome:
        """Return the outcome of `check`."""
        return self.check(evidence, champion, definitions).outcome

    def check(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> RequirementOutcome:
        """Check the findings in the files, or the suffixes in the artifact's URI."""
        found = (*evidence.artifact_code, *evidence.artifact_warnings)
        outcome, sentence = _not_inspected(
            evidence, self.unstored, PICKLE_SUFFIXES | CODE_SUFFIXES
        ) or (
            (Outcome.FAILED, " ".join(found[:_WARNINGS_SAID]))
            if found
            else (Outcome.PASSED, "All files were inspected and run no code when loaded.")
        )
        return RequirementOutcome.of_rule(self.describe(), outcome, sentence)

    def to_document(self) -> dict[str, Any]:
        """Return ``{"no_code": true}``, with ``"unstored": "by_name"`` if that is set."""
        return {"no_code": True, **_unstored_document(self.unstored)}


BY_NAME = "by_name"
"""The value of `unstored` with which files stored elsewhere are checked by their name."""

_BY_NAME_TEXT = {"": "", BY_NAME: ", by name if stored elsewhere"}


_NOT_YET = (
    "The files have not been inspected by this version of Obeya. Wait for the worker, or run "
    "obeya inspect."
)


def _check_unstored(unstored: str) -> None:
    if unstored not in ("", BY_NAME):
        raise InvalidInput(f"unstored can only be {BY_NAME}.", field="requirements")


def _unstored_document(unstored: str) -> dict[str, str]:
    return {"unstored": unstored} if unstored else {}


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
class MaximumSize:
    """A maximum total size, in MiB, of the version's files, which the registry must store.

    Raises:
        InvalidInput: the bound is not a number above 0 and up to 1,073,741,824 MiB (a pebibyte).
    """

    mebibytes: float
    metric: ClassVar[str] = ""

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

    def outcome(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> Outcome:
        """Return the outcome of `check`."""
        return self.check(evidence, champion, definitions).outcome

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
