"""What is done with a trace: data, files, pictures, English. Nothing here knows an engine."""
