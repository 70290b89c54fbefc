"""Replay the events of one chain, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

from obeya.audit.replay import catalog, governance, site
from obeya.audit.replay.state import Event, State, Table
from obeya.records import Action

Effect = Callable[[State, Event], None]

EFFECTS: Mapping[Action, tuple[Effect, ...]] = {
    Action.MODEL_REGISTERED: (catalog.register_model,),
    Action.MODEL_RENAMED: (catalog.rename_model,),
    Action.MODEL_DESCRIBED: (catalog.describe_model,),
    Action.MODEL_TAGGED: (catalog.tag_model,),
    Action.MODEL_UNTAGGED: (catalog.untag_model,),
    Action.MODEL_CONFIGURED: (catalog.configure_model,),
    Action.MODEL_DELETED: (catalog.delete_model,),
    Action.VERSION_REGISTERED: (catalog.register_version,),
    Action.METRICS_LOGGED: (catalog.log_metrics,),
    Action.VERSION_DESCRIBED: (catalog.describe_version,),
    Action.ARTIFACT_STORED: (catalog.store_artifact,),
    Action.ARTIFACT_INSPECTED: (catalog.inspect_artifact,),
    Action.VERSION_TAGGED: (catalog.tag_version,),
    Action.VERSION_UNTAGGED: (catalog.untag_version,),
    Action.STAGE_TRANSITIONED: (catalog.move_version, governance.store_check),
    Action.VERSION_ROLLED_BACK: (catalog.move_version, governance.store_check),
    Action.TRANSITION_REFUSED: (governance.store_check,),
    Action.POLICY_CHECKED: (governance.store_check,),
    Action.VERSION_DELETED: (catalog.delete_version,),
    Action.ALIAS_SET: (catalog.set_alias,),
    Action.ALIAS_DELETED: (catalog.delete_alias,),
    Action.ALIAS_GOVERNED: (governance.govern_alias,),
    Action.ALIAS_UNGOVERNED: (governance.ungovern_alias,),
    Action.REQUEST_OPENED: (governance.open_request,),
    Action.REQUEST_APPROVED: (governance.approve_request,),
    Action.REQUEST_COMPLETED: (governance.close_request,),
    Action.REQUEST_REJECTED: (governance.close_request,),
    Action.REQUEST_WITHDRAWN: (governance.close_request,),
    Action.REQUEST_EXPIRED: (governance.close_request,),
    Action.WAIVER_GRANTED: (governance.grant_waiver,),
    Action.WAIVER_REVOKED: (governance.revoke_waiver,),
    Action.GUARDRAIL_SET: (governance.set_guardrail, catalog.touch_model),
    Action.GUARDRAIL_REMOVED: (governance.remove_guardrail, catalog.touch_model),
    Action.ANDON_RAISED: (governance.raise_andon,),
    Action.ANDON_CLEARED: (governance.clear_andon,),
    Action.WIP_LIMIT_SET: (governance.set_limit,),
    Action.WIP_LIMIT_REMOVED: (governance.remove_limit,),
    Action.POLICY_SET: (governance.set_policy,),
    Action.POLICY_REMOVED: (governance.remove_policy,),
    Action.METRIC_DEFINED: (site.define_metric,),
    Action.USER_CREATED: (site.create_user,),
    Action.USER_CHANGED: (site.change_user,),
    Action.USER_ADOPTED: (site.adopt_user,),
    Action.GROUP_ADOPTED: (site.adopt_group,),
    Action.TOKEN_CREATED: (site.create_token,),
    Action.TOKEN_REVOKED: (site.revoke_token,),
    Action.USER_LINK_MADE: (site.create_link,),
    Action.USER_LINK_USED: (site.use_link,),
    Action.WEBHOOK_CREATED: (site.create_webhook,),
    Action.WEBHOOK_CHANGED: (site.change_webhook,),
    Action.WEBHOOK_SECRET_ROTATED: (site.rotate_secret,),
    Action.WEBHOOK_ENABLED: (site.enable_webhook,),
    Action.WEBHOOK_DISABLED: (site.disable_webhook,),
    Action.WEBHOOK_REMOVED: (site.remove_webhook,),
    Action.RUN_FILE_STORED: (site.store_run_file,),
    Action.RUN_FILE_DELETED: (site.delete_run_file,),
    Action.RUN_FILE_ADOPTED: (site.adopt_run_files,),
}
"""What each action does to the rows. An action that describes no row is in `WITHOUT_ROWS`."""

WITHOUT_ROWS: Mapping[Action, str] = {
    Action.ARTIFACT_DOWNLOADED: "reads only",
    Action.RUN_FILE_DOWNLOADED: "reads only",
    Action.TOKEN_USED_FROM_NEW_ADDRESS: "only the latest addresses of a token are stored",
    Action.SIGNED_IN: "the session ends without an event",
    Action.SIGN_IN_FAILED: "refused",
    Action.FAILED_SIGN_INS_COUNTED: "refused",
}
"""The actions that describe no row, each with the reason."""

# What an effect can raise if the data of an event does not have the types that the registry writes,
# or if the event changes a row that is not there.
_DOES_NOT_FIT = (AttributeError, KeyError, TypeError, ValueError)


class Replay:
    """The state of one chain. Add its events in the order of their sequence."""

    def __init__(self) -> None:
        self._state = State()
        self.problems = self._state.problems

    def add(self, members: Mapping[str, Any], stored_texts: Container[str]) -> None:
        """Add the next event: its canonical members, and the roles of its texts that are stored.

        An event that cannot be replayed is a problem, and changes nothing or a part of the rows.
        """
        event = Event(members, stored_texts)
        try:
            action = Action(event.action)
            for effect in EFFECTS.get(action, ()):
                effect(self._state, event)
        except _DOES_NOT_FIT:
            self.problems.append(
                f"event {event.sequence} ({event.action[:48]}) does not fit the events before it."
            )

    def tables(self) -> Mapping[Table, dict[Any, Any]]:
        """Return the rows that the events describe, by table and key."""
        catalog.derive_counts(self._state)
        return self._state.tables
