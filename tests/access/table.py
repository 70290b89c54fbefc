"""Who can use which route: every route and method, by the permission that it requires.

A new route needs one line here. `<...>` are the parameters of the route as its pattern has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from tests.access.callers import CALLERS, LIMITED, ROLES, UNKNOWN, Outcome

REGISTERERS = {"contributor", "promoter", "administrator"}
PROMOTERS = {"promoter", "administrator"}
APPROVERS = {"approver", "administrator"}
ADMINISTRATORS = {"administrator"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who can use some routes.

    `allowed` are the accounts, in a role or in none. `read` and `other_models`: an administrator's
    token that can only read, or that is limited to other models, is enough. For the callers in
    `hidden` there is nothing there, those in `denied` get 403, and all other accounts get `others`.
    Callers without an account have to sign in, unless `public` is what everyone gets.
    """

    allowed: AbstractSet[str] = frozenset()
    read: bool = False
    other_models: bool = False
    hidden: AbstractSet[str] = frozenset()
    denied: AbstractSet[str] = frozenset()
    others: Outcome = Outcome.DENIED
    public: Outcome | None = None

    def outcome(self, caller: str, *, is_page: bool) -> Outcome:
        """Return what a caller gets. A token is no session: on pages it means nothing."""
        if self.public:
            return self.public
        if caller in UNKNOWN or (is_page and caller in LIMITED):
            return Outcome.SIGN_IN
        if caller in self.hidden:
            return Outcome.HIDDEN
        if caller in self.denied:
            return Outcome.DENIED
        tokens = {"read scope": self.read, "other models": self.other_models}
        is_allowed = tokens.get(caller, caller in self.allowed)
        return Outcome.ALLOWED if is_allowed else self.others


EVERY_ROLE = frozenset(ROLES)
EVERY_ACCOUNT = EVERY_ROLE | {"no group"}

PUBLIC = Access(public=Outcome.ALLOWED)
NOTHING_HERE = Access(public=Outcome.HIDDEN)
REFUSED = Access(public=Outcome.DENIED)
TO_SIGN_IN = Access(public=Outcome.SIGN_IN)
SIGNED_IN = Access(allowed=EVERY_ACCOUNT, read=True, other_models=True)
NOTHING_HERE_SIGNED_IN = Access(hidden=frozenset(CALLERS))
VIEW = Access(allowed=EVERY_ROLE, read=True)
VIEW_FILTERED = Access(allowed=EVERY_ROLE, read=True, other_models=True)
VIEW_BY_ID = Access(allowed=EVERY_ROLE, read=True, hidden={"other models"})
WAIVE_BY_ID = Access(allowed=APPROVERS, hidden={"other models"})
REGISTER = Access(allowed=REGISTERERS)
REGISTER_ANY = Access(allowed=REGISTERERS, other_models=True)
TRANSITION = Access(allowed=REGISTERERS)
PROMOTE = Access(allowed=PROMOTERS)
APPROVE = Access(allowed=APPROVERS)
CHECK = Access(allowed=REGISTERERS | APPROVERS)
ADMINISTER = Access(allowed=ADMINISTRATORS)
# The registry of the matrix was filled by the administrator, who also opened its request.
REVIEW = Access(allowed={"approver"})
WITHDRAW = Access(allowed=ADMINISTRATORS)
OWN_CONTENT = Access(allowed=ADMINISTRATORS, hidden={"other models", "contributor", "promoter"})
OWN_RUN_FILE = Access(
    allowed=ADMINISTRATORS,
    read=True,
    hidden=(EVERY_ROLE - ADMINISTRATORS) | {"other models"},
)
TOKEN = Access(allowed=ADMINISTRATORS, hidden=(EVERY_ROLE - ADMINISTRATORS) | {"read scope"})
# The admin sends everyone who cannot use it to its sign-in page.
ADMIN_PAGE = Access(allowed=ADMINISTRATORS, others=Outcome.SIGN_IN)
ADMIN_REFUSED = Access(denied=ADMINISTRATORS, others=Outcome.SIGN_IN)
ADMIN_NOTHING = Access(hidden=ADMINISTRATORS, others=Outcome.SIGN_IN)
ADMIN_SIGN_OUT = Access(allowed=EVERY_ACCOUNT - ADMINISTRATORS, others=Outcome.SIGN_IN)

# The tables of the admin. No one can change them there.
ADMIN_TABLES = (
    "auth/group",
    "boards/alias",
    "boards/andon",
    "boards/apitoken",
    "boards/artifactfile",
    "boards/auditevent",
    "boards/audittext",
    "boards/blob",
    "boards/blobupload",
    "boards/delivery",
    "boards/deliveryattempt",
    "boards/governedalias",
    "boards/guardrail",
    "boards/headspublished",
    "boards/livevalue",
    "boards/metric",
    "boards/metricdefinition",
    "boards/modeltag",
    "boards/modelversion",
    "boards/policycheck",
    "boards/policyrevision",
    "boards/registeredmodel",
    "boards/runfile",
    "boards/sitechain",
    "boards/stagetransition",
    "boards/transitionrequest",
    "boards/verificationrun",
    "boards/verifiedchain",
    "boards/versiontag",
    "boards/vote",
    "boards/waiver",
    "boards/webhook",
    "boards/webhookmessage",
    "boards/wiplimit",
)

ROUTES: dict[str, tuple[Access, str]] = {
    "public": (
        PUBLIC,
        """
        GET livez
        GET readyz
        GET health
        GET version
        GET api/3.0/mlflow/server-info
        GET api/v1/docs
        GET api/v1/openapi.json
        GET docs/
        GET docs/files/<path:file>
        GET docs/<path:page>/
        GET,POST sign-in/
        GET sign-in/once/<str:token>/
        POST theme/
        GET,POST admin/login/
        """,
    ),
    "a link that was never created": (REFUSED, "POST sign-in/once/<str:token>/"),
    "the end of a session": (TO_SIGN_IN, "POST sign-out/"),
    "addresses without anything": (
        NOTHING_HERE,
        "GET,POST,PUT,PATCH,DELETE ^(?:ajax-)?api/[23]\\.0/",
    ),
    "addresses of the API without anything": (
        NOTHING_HERE_SIGNED_IN,
        "GET,POST,PUT,PATCH,DELETE api/v1/^(?P<rest>.*)$",
    ),
    "every account": (
        SIGNED_IN,
        """
        GET api/v1/
        GET api/v1/me
        GET,POST password/
        GET,POST api/2.0/mlflow-artifacts/^(?:mpu|presigned)/(?s:.*)$
        GET,POST admin/password_change/
        """,
    ),
    # --- Reads ------------------------------------------------------------------------------------
    "reads of one model, of the whole log, and of the account's tokens": (
        VIEW,
        """
        GET api/v1/models/<name>
        GET api/v1/models/<name>/aliases/<alias>
        GET api/v1/models/<name>/governed-aliases
        GET api/v1/models/<name>/versions
        GET api/v1/models/<name>/versions/latest
        GET api/v1/models/<name>/versions/<version>
        GET api/v1/models/<name>/versions/<version>/artifact
        GET api/v1/models/<name>/versions/<version>/artifact/files/<path:path>
        GET,POST api/v1/models/<name>/versions/<version>/policy-result
        GET api/v1/models/<name>/versions/<version>/judgement
        GET api/v1/models/<name>/versions/<version>/transitions
        GET api/v1/models/<name>/versions/<version>/requests
        GET api/v1/models/<name>/versions/<version>/waivers
        GET api/v1/models/<name>/transitions
        GET api/v1/models/<name>/requests
        GET api/v1/models/<name>/policies/<stage>
        GET api/v1/models/<name>/guardrails
        GET api/v1/models/<name>/wip-limits
        GET api/v1/models/<name>/comparison
        GET api/v1/comparisons
        GET api/v1/audit/heads
        GET api/v1/tokens
        POST api/v1/policy-simulations
        GET api/2.0/mlflow/registered-models/get
        GET,POST api/2.0/mlflow/registered-models/get-latest-versions
        GET api/2.0/mlflow/registered-models/alias
        GET api/2.0/mlflow/model-versions/get
        GET api/2.0/mlflow/model-versions/get-download-uri
        """,
    ),
    "lists that contain only what the token covers, and what applies to every model": (
        VIEW_FILTERED,
        """
        GET api/v1/models
        GET api/v1/versions
        GET api/v1/requests
        GET api/v1/audit/events
        GET api/v1/policies
        GET api/v1/policies/<stage>
        GET api/v1/governed-aliases
        GET api/v1/metric-definitions
        GET api/v1/wip-limits
        GET api/2.0/mlflow/registered-models/search
        GET api/2.0/mlflow/model-versions/search
        GET api/2.0/mlflow-artifacts/artifacts
        """,
    ),
    "pages": (
        VIEW,
        """
        GET /
        GET board/<str:stage>/
        GET models/
        GET models/<str:name>/
        GET models/<str:name>/compare/
        GET models/<str:name>/guardrails/
        GET models/<str:name>/live/
        GET models/<str:name>/limits/
        GET models/<str:name>/history/
        GET models/<str:name>/history/export.<str:form>
        GET models/<str:name>/policies/<str:stage>/revisions/
        GET models/<str:name>/versions/<int:number>/
        GET models/<str:name>/versions/<int:number>/files/<path:path>
        GET models/<str:name>/versions/<int:number>/history/
        GET models/<str:name>/versions/<int:number>/history/export.<str:form>
        GET models/<str:name>/versions/<int:number>/moves/
        GET models/<str:name>/versions/<int:number>/transition/
        GET models/<str:name>/versions/<int:number>/request/
        GET compare/
        GET compare.csv
        GET policies/
        GET policies/<str:stage>/revisions/
        GET checks/<uuid:uid>/
        GET checks/<uuid:uid>/check.json
        GET audit/
        GET audit/export.<str:form>
        GET requests/
        GET requests/<uuid:uid>/
        GET waivers/
        GET records/<uuid:chain>/<int:sequence>/
        GET records/<uuid:chain>/<int:sequence>/record.json
        GET settings/limits/
        GET settings/tokens/
        """,
    ),
    "what is found by its id, which does not show the model": (
        VIEW_BY_ID,
        "GET api/v1/checks/<uid>",
    ),
    "waivers, which are found by their id": (WAIVE_BY_ID, "POST api/v1/waivers/<uid>/revocation"),
    "tokens of the own account": (VIEW, "POST settings/tokens/"),
    "content that the account uploaded": (OWN_CONTENT, "GET api/v1/blobs/<sha256>"),
    "files of runs, for the account that stored them": (
        OWN_RUN_FILE,
        "GET api/2.0/mlflow-artifacts/^artifacts/(?P<path>(?s:.+))$",
    ),
    # --- Writes -----------------------------------------------------------------------------------
    "register": (
        REGISTER,
        """
        POST api/v1/models/<name>/versions
        POST api/v1/versions
        PATCH api/v1/models/<name>
        PUT,DELETE api/v1/models/<name>/tags/<path:key>
        PUT,DELETE api/v1/models/<name>/aliases/<alias>
        PATCH api/v1/models/<name>/versions/<version>
        POST api/v1/models/<name>/versions/<version>/metrics
        PUT,DELETE api/v1/models/<name>/versions/<version>/tags/<path:key>
        PUT api/v1/models/<name>/versions/<version>/artifact
        POST api/v1/models/<name>/live-values
        POST api/2.0/mlflow/registered-models/create
        PATCH api/2.0/mlflow/registered-models/update
        POST api/2.0/mlflow/registered-models/set-tag
        DELETE api/2.0/mlflow/registered-models/delete-tag
        POST,DELETE api/2.0/mlflow/registered-models/alias
        POST api/2.0/mlflow/model-versions/create
        PATCH api/2.0/mlflow/model-versions/update
        POST api/2.0/mlflow/model-versions/set-tag
        DELETE api/2.0/mlflow/model-versions/delete-tag
        POST models/<str:name>/versions/<int:number>/artifact/
        GET,PUT models/<str:name>/versions/<int:number>/artifact/pieces/
        POST models/<str:name>/live/
        """,
    ),
    "register, before there is a model": (
        REGISTER_ANY,
        """
        PUT api/v1/blobs/<sha256>
        PUT api/2.0/mlflow-artifacts/^artifacts/(?P<path>(?s:.+))$
        """,
    ),
    "files of runs are deleted by the account that stored them": (
        OWN_CONTENT,
        "DELETE api/2.0/mlflow-artifacts/^artifacts/(?P<path>(?s:.+))$",
    ),
    "transition": (
        TRANSITION,
        """
        POST api/v1/models/<name>/versions/<version>/transitions
        POST api/v1/models/<name>/versions/<version>/requests
        POST api/2.0/mlflow/model-versions/transition-stage
        POST models/<str:name>/versions/<int:number>/transition/
        POST models/<str:name>/versions/<int:number>/request/
        """,
    ),
    "promote": (
        PROMOTE,
        """
        POST api/v1/models/<name>/rollbacks
        GET,POST models/<str:name>/rollback/
        """,
    ),
    "transition or approve": (
        CHECK,
        """
        POST api/v1/models/<name>/versions/<version>/checks
        POST models/<str:name>/versions/<int:number>/check/
        """,
    ),
    "approve, but not the own request": (
        REVIEW,
        """
        POST api/v1/models/<name>/versions/<version>/reviews
        POST requests/<uuid:uid>/review/
        """,
    ),
    "only who requested it": (
        WITHDRAW,
        """
        POST api/v1/models/<name>/versions/<version>/withdrawals
        POST requests/<uuid:uid>/withdraw/
        """,
    ),
    "waive": (
        APPROVE,
        """
        POST api/v1/models/<name>/versions/<version>/waivers
        GET,POST models/<str:name>/versions/<int:number>/waive/
        GET,POST waivers/<uuid:uid>/revoke/
        """,
    ),
    "edit policies": (
        ADMINISTER,
        """
        PUT,DELETE api/v1/policies/<stage>
        PUT,DELETE api/v1/models/<name>/policies/<stage>
        PUT,DELETE api/v1/governed-aliases/<alias>
        PUT,DELETE api/v1/models/<name>/governed-aliases/<alias>
        PUT,DELETE api/v1/wip-limits/<stage>
        PUT,DELETE api/v1/models/<name>/wip-limits/<stage>
        PUT,DELETE api/v1/models/<name>/guardrails/<path:metric>
        PUT api/v1/metric-definitions/<path:metric>
        GET,POST policies/<str:stage>/edit/
        GET,POST models/<str:name>/policies/<str:stage>/edit/
        POST policies/<str:stage>/remove/
        POST models/<str:name>/policies/<str:stage>/remove/
        POST models/<str:name>/guardrails/
        POST models/<str:name>/guardrails/remove/
        POST models/<str:name>/limits/
        POST models/<str:name>/limits/remove/
        POST settings/limits/
        POST settings/limits/remove/
        GET,POST metrics/define/
        """,
    ),
    "administer": (
        ADMINISTER,
        """
        DELETE api/v1/models/<name>
        DELETE api/v1/models/<name>/versions/<version>
        POST api/v1/imports
        POST api/v1/tokens
        GET,POST api/v1/webhooks
        GET,PUT,DELETE api/v1/webhooks/<uid>
        POST api/v1/webhooks/<uid>/secret
        POST api/v1/webhooks/<uid>/enable
        POST api/v1/webhooks/<uid>/disable
        POST api/v1/webhooks/<uid>/test
        GET api/v1/webhooks/<uid>/deliveries
        GET api/v1/deliveries/<delivery>
        POST api/v1/deliveries/<delivery>/replay
        POST api/2.0/mlflow/registered-models/rename
        DELETE api/2.0/mlflow/registered-models/delete
        DELETE api/2.0/mlflow/model-versions/delete
        POST audit/verify/
        GET,POST settings/webhooks/
        GET,POST settings/webhooks/<uuid:uid>/
        POST settings/webhooks/<uuid:uid>/secret/
        POST settings/webhooks/<uuid:uid>/replay/
        POST settings/webhooks/<uuid:uid>/enable/
        POST settings/webhooks/<uuid:uid>/disable/
        POST settings/webhooks/<uuid:uid>/test/
        POST settings/webhooks/<uuid:uid>/remove/
        GET settings/deliveries/<int:pk>/
        POST settings/deliveries/<int:pk>/replay/
        """,
    ),
    "the owner of a token, or administer": (
        TOKEN,
        """
        DELETE api/v1/tokens/<uid>
        POST settings/tokens/<uuid:uid>/revoke/
        """,
    ),
    # --- The admin --------------------------------------------------------------------------------
    "pages of the admin": (
        ADMIN_PAGE,
        """
        GET,POST admin/
        GET admin/jsi18n/
        GET admin/password_change/done/
        GET,POST admin/^(?P<app_label>auth|boards)/$
        """,
    ),
    "accounts in the admin": (
        ADMIN_PAGE,
        """
        GET,POST admin/boards/user/
        GET,POST admin/boards/user/add/
        GET,POST admin/boards/user/<id>/password/
        GET,POST admin/boards/user/<path:object_id>/
        GET,POST admin/boards/user/<path:object_id>/change/
        GET,POST admin/boards/user/<path:object_id>/history/
        """,
    ),
    "refused by the admin": (
        ADMIN_REFUSED,
        """
        GET admin/autocomplete/
        GET,POST admin/boards/user/<path:object_id>/delete/
        """,
    ),
    "addresses of the admin without anything": (
        ADMIN_NOTHING,
        """
        GET,POST admin/(?P<url>.*)$
        GET,POST admin/r/<path:content_type_id>/<path:object_id>/
        """,
    ),
    "the end of a session in the admin": (ADMIN_SIGN_OUT, "POST admin/logout/"),
}
_OF_ADMIN_TABLE = (
    (
        ADMIN_PAGE,
        """
        GET,POST admin/TABLE/
        GET,POST admin/TABLE/<path:object_id>/
        GET,POST admin/TABLE/<path:object_id>/history/
        GET admin/TABLE/<path:object_id>/change/
        """,
    ),
    (
        ADMIN_REFUSED,
        """
        POST admin/TABLE/<path:object_id>/change/
        GET,POST admin/TABLE/add/
        GET,POST admin/TABLE/<path:object_id>/delete/
        """,
    ),
)


def listed() -> Iterator[tuple[str, str, Access]]:
    """Yield method, route and access of every line."""
    groups = [*ROUTES.values()]
    groups += [
        (access, lines.replace("TABLE", table))
        for table in ADMIN_TABLES
        for access, lines in _OF_ADMIN_TABLE
    ]
    for access, lines in groups:
        for line in filter(None, map(str.strip, lines.splitlines())):
            methods, _, route = line.partition(" ")
            for method in methods.split(","):
                # The route of the board is empty.
                yield method, route.removeprefix("/"), access
