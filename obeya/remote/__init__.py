"""The registry over the network: `RemoteRegistry` keeps the contract through the JSON API."""
