"""How it moves: the one step relation, running, its graph, families of it."""
