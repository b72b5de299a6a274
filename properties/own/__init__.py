"""Promises of a user's own: in files, and as expressions."""
