"""Real kernels: images, QEMU, the agent inside, and what it reads back."""
