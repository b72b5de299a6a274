"""Engines: each takes a question and limits and gives a verdict. None prints or knows a kernel."""
