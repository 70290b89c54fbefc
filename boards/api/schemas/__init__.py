"""The documents of the API as its OpenAPI document describes them.

`obeya.documents` writes the responses; these classes describe them, and check requests: unknown
members are refused, and types are not converted.
"""
