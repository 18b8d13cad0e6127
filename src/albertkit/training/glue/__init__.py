"""GLUE as a whole: every task that the data are there for, the table, and the zip for the benchmark's server."""
