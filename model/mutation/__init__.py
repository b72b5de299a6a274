"""Small wrong edits of the kernel functions, and which promises tell them from the right ones."""
