"""Run all of GLUE: every task whose data exist, the table, and the zip for the benchmark's server."""
