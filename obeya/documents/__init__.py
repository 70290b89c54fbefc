"""The JSON documents of the API, written and read in one place.

For each kind of record ``<kind>_document`` writes the document, and ``<kind>_from_document`` reads
it back to an equal record. Unknown members are ignored, so that a newer server can send more. Times
are ISO 8601 in UTC.
"""
