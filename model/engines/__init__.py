"""Engines: each takes a question and limits, and gives a verdict. None prints, none knows a kernel."""
