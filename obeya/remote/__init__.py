"""The registry over the network: `RemoteRegistry` implements `ModelRegistry` with the JSON API."""
