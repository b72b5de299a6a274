"""What can happen: operations, their effects, and which are explored together."""
