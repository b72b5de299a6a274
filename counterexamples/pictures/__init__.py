"""Pictures of a trace: lane sheets and state graphs."""
