"""Whose functions these are: kernel functions of a user's own."""
