"""What is done with a trace: data, files, pictures, English. Nothing here knows an engine."""

from model.processes import end_command_early

end_command_early()
