"""The write path: every change to the registry is a function of this package.

Each function checks the permission, locks, calls the core, changes the rows and appends the audit
event, all in one transaction. All arguments are keywords; `actor` is the account that acts, `at` is
the time of the change.
"""
