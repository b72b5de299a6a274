"""What the kernel does to page-table bits, and the exploring of it."""
