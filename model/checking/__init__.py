"""Behind `python -m model.check`: the matrix of cells, its running, its reports."""
