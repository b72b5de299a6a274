"""What is: one VMA, its entries, the history; and the kinds of memory."""
