"""The documents of the API as its OpenAPI document describes them.

What is answered is written by `obeya.documents`; these classes describe it, and check what comes
in: unknown members are refused, and nothing is taken for what it is not.
"""
