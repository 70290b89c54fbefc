"""The JSON forms of what crosses the wire, written and read in one place.

For each kind of record there are ``<kind>_document``, which writes it, and
``<kind>_from_document``, which reads it back equal. Members that a reader does not know are
ignored, so that a newer server may send more. Times are ISO 8601 in UTC.
"""
