"""Requirements without a metric: time in stage, tags, texts, artifacts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar
from urllib.parse import unquote

from obeya import names
from obeya.errors import InvalidInput
from obeya.metrics import finite
from obeya.policy.bounds import number_text
from obeya.policy.requirements import Definitions, Evidence, Outcome, RequirementOutcome
from obeya.policy.tag_text import read_tag, tag_text

HOURS_MAX = 87_600
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
_SEPARATORS = re.compile(r"[/\\?#&;=,:@!|\s]+")


@dataclass(frozen=True, slots=True)
class TimeInStage:
    """A minimum time, in hours, of the version in the stage that it leaves.

    Raises:
        InvalidInput: the hours are not a number above 0 and up to 87,600 (ten years).
    """

    hours: float
    metric: ClassVar[str] = ""

    def __post_init__(self) -> None:
        hours = finite(self.hours, what="The time in the previous stage")
        if not 0 < hours <= HOURS_MAX:
            raise InvalidInput(
                f"The time in the previous stage must be more than 0 and at most {HOURS_MAX:,} "
                "hours.",
                field="hours_in_stage",
            )
        object.__setattr__(self, "hours", hours)

    def describe(self) -> str:
        """Return ``at least 24 hours in the previous stage``."""
        unit = "hour" if self.hours == 1 else "hours"
        return f"at least {number_text(self.hours)} {unit} in the previous stage"

    def outcome(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> Outcome:
        """Return the outcome of `check`."""
        return self.check(evidence, champion, definitions).outcome

    def check(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> RequirementOutcome:
        """Compare the time since the version entered its stage with the required hours."""
        line = self.describe()
        if evidence.time_in_stage is None:
            return RequirementOutcome.of_rule(
                line, Outcome.MISSING, "The time in its stage is not known."
            )
        hours = evidence.time_in_stage.total_seconds() / 3600
        passed = hours >= self.hours
        # Rounded down, so that no sentence says 24 of 24 hours for a failure.
        shown = f"{int(hours * 10) / 10:g}"
        sentence = f"The version has been in its stage for {shown} hours" + (
            "." if passed else f"; required: {number_text(self.hours)}."
        )
        return RequirementOutcome.of_rule(
            line, Outcome.PASSED if passed else Outcome.FAILED, sentence
        )

    def to_document(self) -> dict[str, Any]:
        """Return ``{"hours_in_stage": ...}``."""
        return {"hours_in_stage": self.hours}


@dataclass(frozen=True, slots=True)
class RequiredTag:
    """A tag that the version must have; with `value` None any value passes.

    Raises:
        InvalidInput: the key or the value is not valid for a tag.
    """

    key: str
    value: str | None = None
    metric: ClassVar[str] = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", names.tag_key(self.key))
        if self.value is not None:
            object.__setattr__(self, "value", names.tag_value(self.value))

    @classmethod
    def parse(cls, line: str) -> RequiredTag:
        """Parse the text form of `line`.

        Raises:
            InvalidInput: the line is not a tag.
        """
        return cls(*read_tag(line))

    @property
    def line(self) -> str:
        """``reviewed`` or ``risk = low``; an ambiguous text is quoted as in JSON."""
        return tag_text(self.key, self.value, equals=" = ")

    def describe(self) -> str:
        """Return ``tag reviewed`` or ``tag risk = low``."""
        return f"tag {self.line}"

    def outcome(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> Outcome:
        """Return the outcome of `check`."""
        return self.check(evidence, champion, definitions).outcome

    def check(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> RequirementOutcome:
        """Check whether the version has the tag."""
        line, found = self.describe(), evidence.tags.get(self.key)
        if found is None:
            return RequirementOutcome.of_rule(
                line, Outcome.MISSING, f"The tag “{self.key}” is not set."
            )
        if self.value is not None and found != self.value:
            return RequirementOutcome.of_rule(
                line,
                Outcome.FAILED,
                f"The tag “{self.key}” is “{found[:64]}”; required: “{self.value[:64]}”.",
            )
        return RequirementOutcome.of_rule(
            line, Outcome.PASSED, f"The tag “{self.key}” is “{found[:64]}”."
        )

    def to_document(self) -> dict[str, Any]:
        """Return ``{"tag": ..., "value": ...}``."""
        return {"tag": self.key, "value": self.value}


@dataclass(frozen=True, slots=True)
class RequiredDescription:
    """The version must have a description."""

    metric: ClassVar[str] = ""

    def describe(self) -> str:
        """Return ``a description``."""
        return "a description"

    def outcome(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> Outcome:
        """Return the outcome of `check`."""
        return self.check(evidence, champion, definitions).outcome

    def check(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> RequirementOutcome:
        """Check that the description is not blank."""
        if evidence.description.strip():
            return RequirementOutcome.of_rule(
                self.describe(), Outcome.PASSED, "The version has a description."
            )
        return RequirementOutcome.of_rule(
            self.describe(), Outcome.MISSING, "The version has no description."
        )

    def to_document(self) -> dict[str, Any]:
        """Return ``{"description": true}``."""
        return {"description": True}


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
    """The version's artifact must not contain a pickle.

    Files stored in the registry are checked by content: a file fails if it contains a pickle or
    could not be searched completely. For other files only the name is known. A pickle runs code
    when it is loaded (https://docs.python.org/3/library/pickle.html).
    """

    metric: ClassVar[str] = ""

    def describe(self) -> str:
        """Return ``no pickle files``."""
        return "no pickle files"

    def outcome(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> Outcome:
        """Return the outcome of `check`."""
        return self.check(evidence, champion, definitions).outcome

    def check(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> RequirementOutcome:
        """Check the findings in the files, or the suffixes in the artifact's URI."""
        line, uri = self.describe(), evidence.artifact_path
        if evidence.artifact_size is not None:
            if evidence.artifact_warnings:
                sentence = " ".join(evidence.artifact_warnings[:_WARNINGS_SAID])
                return RequirementOutcome.of_rule(line, Outcome.FAILED, sentence)
            return RequirementOutcome.of_rule(
                line, Outcome.PASSED, "No pickle was found in the files."
            )
        if not uri:
            return RequirementOutcome.of_rule(line, Outcome.MISSING, "The version has no artifact.")
        # All suffixes: "model.pkl.gz" is a pickle too.
        suffix = next((s for s in _suffixes(uri) if s in PICKLE_SUFFIXES), None)
        if suffix is not None:
            return RequirementOutcome.of_rule(
                line,
                Outcome.FAILED,
                f"A {suffix} file is or can contain a pickle, which runs code when loaded.",
            )
        return RequirementOutcome.of_rule(
            line, Outcome.PASSED, "The name of the artifact does not indicate a pickle."
        )

    def to_document(self) -> dict[str, Any]:
        """Return ``{"no_pickle": true}``."""
        return {"no_pickle": True}


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
