"""The kernel as pure functions, one file for each kernel source file it mirrors."""
