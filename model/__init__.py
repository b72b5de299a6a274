"""What the kernel does to page-table bits, and the exploring of it."""

from model.processes import end_command_early

end_command_early()
