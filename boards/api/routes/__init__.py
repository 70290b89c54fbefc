"""The operations of the JSON API, one router for each noun."""
