"""The registry over the network: `RemoteRegistry` keeps the contract through the JSON API."""

from obeya.remote.registry import RemoteRegistry
from obeya.remote.transport import DEFAULT_URL, Timeouts

__all__ = ["DEFAULT_URL", "RemoteRegistry", "Timeouts"]
