"""Effects of events of the site chain: metric definitions, accounts, tokens, links, endpoints."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from obeya.audit.chain import timestamp
from obeya.audit.replay.state import NO_TEXT, UNSTATED, Event, State, Table, Text, Unstated

_DEFINITION = ("title", "direction", "unit", "scale", "description")
_FLAGS = ("is_active", "is_staff", "is_superuser")
_ADMINISTRATOR = "administrator"


def define_metric(state: State, event: Event) -> None:
    """Set the definition of a metric."""
    new = event.data["new"]
    values = {column: new.get(column, UNSTATED) for column in _DEFINITION}
    state.add(
        Table.METRIC_DEFINITION, (event.data["metric"],), event, **values, updated_at=event.at
    )


def create_user(state: State, event: Event) -> None:
    """Add an account, with the flags, groups and permissions that it was created with."""
    data = event.data
    is_service = data.get("service", False)
    # Events of before the flags were stated: only accounts of this group had any.
    is_administrator = data.get("group") == _ADMINISTRATOR and not is_service
    flags = {"is_active": True, "is_staff": is_administrator, "is_superuser": is_administrator}
    if "fields" in data:
        flags |= {"is_staff": False, "is_superuser": False}
    state.add(
        Table.USER,
        (data["user"],),
        event,
        username=_username(event),
        is_service=is_service,
        groups=[data["group"]] if "group" in data else data.get("groups_added", []),
        permissions=data.get("permissions_added", []),
        **{flag: data.get(flag, value) for flag, value in flags.items()},
    )


def change_user(state: State, event: Event) -> None:
    """Change flags, groups, permissions or the name of an account.

    An account that no event created is left out: the comparison reports its row.
    """
    data = event.data
    if "password" in data.get("fields", []):
        _end_links(state, data["user"])
    row = state.tables[Table.USER].get((data["user"],))
    if row is None:
        return
    values: dict[str, Any] = {flag: data[flag] for flag in _FLAGS if flag in data}
    for held in ("groups", "permissions"):
        added, removed = data.get(f"{held}_added", []), data.get(f"{held}_removed", [])
        if added or removed:
            values[held] = sorted({*row.values[held], *added} - {*removed})
    if "username" in data.get("fields", []):
        values["username"] = _username(event)
    row.change(event.sequence, values)


def adopt_user(state: State, event: Event) -> None:
    """Set an account to the state in which the registry found it."""
    data = event.data
    state.add(
        Table.USER,
        (data["user"],),
        event,
        username=_username(event),
        is_service=data["service"],
        groups=data["groups"],
        permissions=data["permissions"],
        **{flag: data[flag] for flag in _FLAGS},
    )


def _username(event: Event) -> Text | Unstated:
    text = event.text("username")
    return UNSTATED if text == NO_TEXT else text


def adopt_group(state: State, event: Event) -> None:
    """Set the permissions of a group to those with which the registry found it."""
    state.add(Table.GROUP, (event.data["group"],), event, permissions=event.data["permissions"])


def create_token(state: State, event: Event) -> None:
    """Add an API token."""
    data = event.data
    state.add(
        Table.TOKEN,
        (data["token"],),
        event,
        user=data["user"],
        name=event.text("name"),
        scopes=data["scopes"],
        model_globs=data["models"],
        secret=data.get("secret_digest", UNSTATED),
        created_at=event.at,
        created_by=event.actor,
        expires_at=data["expires_at"],
        revoked_at=None,
    )


def revoke_token(state: State, event: Event) -> None:
    """Revoke an API token."""
    state.change(Table.TOKEN, (event.data["token"],), event, revoked_at=event.at)


def create_link(state: State, event: Event) -> None:
    """Add a sign-in link, which replaces the older ones of its account.

    The key of one without a digest is its account and its position.
    """
    data = event.data
    _end_links(state, data["user"])
    digest = data.get("link_digest", UNSTATED)
    key = (data["user"], event.sequence) if digest is UNSTATED else (digest,)
    values = {"user": data["user"], "expires_at": data.get("expires_at", UNSTATED)}
    state.add(Table.LINK, key, event, created_at=event.at, used_at=None, **values)


def use_link(state: State, event: Event) -> None:
    """Note that a sign-in link was used; a newer one may have replaced it meanwhile."""
    row = state.tables[Table.LINK].get((event.data.get("link_digest"),))
    if row is not None:
        row.change(event.sequence, {"used_at": event.at})


def _end_links(state: State, user: str) -> None:
    links = state.tables[Table.LINK]
    for key in [key for key, row in links.items() if row.values["user"] == user]:
        del links[key]


def create_webhook(state: State, event: Event) -> None:
    """Add a webhook endpoint."""
    unset = None if "address_digest" in event.data else UNSTATED
    state.add(
        Table.WEBHOOK,
        (event.data["webhook"],),
        event,
        **_configured(event),
        revision=1,
        created_at=_time(event),
        created_by=event.actor,
        previous_until=unset,
        disabled_at=None,
        disabled_reason=NO_TEXT,
        removed_at=None,
    )


def change_webhook(state: State, event: Event) -> None:
    """Set the name, the address and the subscription of an endpoint."""
    _change_webhook(state, event)


def rotate_secret(state: State, event: Event) -> None:
    """Set until when the previous secret of an endpoint is valid."""
    hours, start = event.data["overlap_hours"], _time(event)
    until: Any = None
    if hours:
        until = start
        if isinstance(start, str):
            until = timestamp(datetime.fromisoformat(start) + timedelta(hours=hours))
    _change_webhook(state, event, previous_until=until)


def enable_webhook(state: State, event: Event) -> None:
    """Enable an endpoint."""
    _change_webhook(state, event, disabled_at=None, disabled_reason=NO_TEXT)


def disable_webhook(state: State, event: Event) -> None:
    """Disable an endpoint."""
    reason = event.text("reason")
    _change_webhook(state, event, disabled_at=_time(event), disabled_reason=reason)


def remove_webhook(state: State, event: Event) -> None:
    """Hide an endpoint."""
    _change_webhook(state, event, removed_at=_time(event))


def store_run_file(state: State, event: Event) -> None:
    """Store a file of a run; the key is the digest of its path, which is a text."""
    state.add(
        Table.RUN_FILE,
        (event.text("path").digest,),
        event,
        sha256=event.data["sha256"],
        user=event.actor,
        models_digest=event.data.get("models_digest", ""),
        stored_at=event.at,
    )


def delete_run_file(state: State, event: Event) -> None:
    """Remove a file of a run; one that no event stored can be deleted too."""
    state.tables[Table.RUN_FILE].pop((event.text("path").digest,), None)


def adopt_run_files(state: State, event: Event) -> None:
    """Set files of runs to the state in which the registry found them."""
    for file in event.data["adopted_files"]:
        values = {name: file[name] for name in ("sha256", "user", "models_digest", "stored_at")}
        state.add(Table.RUN_FILE, (file["path_digest"],), event, **values)


def _change_webhook(state: State, event: Event, **values: Any) -> None:
    row = state.tables[Table.WEBHOOK][event.data["webhook"],]
    revision = row.values["revision"] + 1
    row.change(event.sequence, {**_configured(event), "revision": revision, **values})


def _configured(event: Event) -> dict[str, Any]:
    data = event.data
    return {
        "name": event.text("name"),
        "target": data["target"],
        "address": data.get("address_digest", UNSTATED),
        "shown_address": data["address"],
        "types": data["types"],
        "model_globs": data["models"],
        "stages": data["stages"],
    }


def _time(event: Event) -> str | Unstated:
    """Return the time of the event, which rows have since events state the whole address."""
    return event.at if "address_digest" in event.data else UNSTATED
