"""State, operations and the one step relation that every engine and the simulator share."""
