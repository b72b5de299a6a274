"""Words for a trace: text for a mail, English, and what more shows it."""
