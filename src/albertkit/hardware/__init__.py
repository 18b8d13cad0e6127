"""Devices, processors and worker processes: where the work runs and in which precision."""
