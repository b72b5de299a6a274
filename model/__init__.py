"""What the kernel does to page-table bits, and the exploring of it."""

import signal

# What comes while the first import runs waits for it: the handlers are not yet there.
_before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})

from model.processes import end_command_early  # noqa: E402

end_command_early()
signal.pthread_sigmask(signal.SIG_SETMASK, _before)
