"""The JSON forms of what crosses the wire, written and read in one place.

For each kind of record there are ``<kind>_document``, which writes it, and
``<kind>_from_document``, which reads it back equal. Members that a reader does not know are
ignored, so that a newer server may send more. Times are ISO 8601 in UTC.
"""

from obeya.documents._reading import MalformedDocument, written_time
from obeya.documents.artifacts import artifact_document, artifact_from_document
from obeya.documents.catalog import (
    model_document,
    model_from_document,
    transition_document,
    transition_from_document,
    version_document,
    version_from_document,
)
from obeya.documents.comparisons import (
    comparison_document,
    comparison_from_document,
    definition_document,
    definition_from_document,
)
from obeya.documents.governance import (
    guardrail_document,
    guardrail_from_document,
    live_report_document,
    live_report_from_document,
    request_document,
    request_from_document,
    waiver_document,
    waiver_from_document,
    wip_limit_document,
    wip_limit_from_document,
)
from obeya.documents.imports import (
    import_report_document,
    import_report_from_document,
    imported_model_document,
)
from obeya.documents.policies import policy_document, policy_from_document
from obeya.documents.problems import error_from_problem, problem_document, problem_type
from obeya.documents.verdicts import (
    judgement_document,
    judgement_from_document,
    refusal_documents,
    refusals_from_documents,
    verdict_document,
    verdict_from_document,
)

__all__ = [
    "MalformedDocument",
    "artifact_document",
    "artifact_from_document",
    "comparison_document",
    "comparison_from_document",
    "definition_document",
    "definition_from_document",
    "error_from_problem",
    "guardrail_document",
    "guardrail_from_document",
    "import_report_document",
    "import_report_from_document",
    "imported_model_document",
    "judgement_document",
    "judgement_from_document",
    "live_report_document",
    "live_report_from_document",
    "model_document",
    "model_from_document",
    "policy_document",
    "policy_from_document",
    "problem_document",
    "problem_type",
    "refusal_documents",
    "refusals_from_documents",
    "request_document",
    "request_from_document",
    "transition_document",
    "transition_from_document",
    "verdict_document",
    "verdict_from_document",
    "version_document",
    "version_from_document",
    "waiver_document",
    "waiver_from_document",
    "wip_limit_document",
    "wip_limit_from_document",
    "written_time",
]
