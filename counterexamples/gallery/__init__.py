"""The traces we stand behind, each with what real kernels answered."""
