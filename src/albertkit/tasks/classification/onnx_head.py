"""The classifier in ONNX: the same function as `head.py`."""

from __future__ import annotations

from itertools import count

import numpy as np

from albertkit.graphs.graph import Graph
from albertkit.graphs.heads import Encoded

_NORM_EPS = 1e-5  # torch's batch normalization


def classifier(graph: Graph, encoded: Encoded, rows: str, *, head: str) -> tuple[str, int]:
    """Add a linear map, or blocks of linear, relu and batch normalization in front of one."""
    del encoded
    if graph.has(f"heads.{head}.weight"):
        return graph.linear(rows, f"heads.{head}"), graph.rows_of(f"heads.{head}.weight")
    for block in count():
        name = f"heads.{head}.hidden.{block}"
        if not graph.has(f"{name}.0.weight"):
            break
        rows = graph.node("Relu", graph.linear(rows, f"{name}.0"), name=f"{name}.relu")
        if graph.has(f"{name}.2.running_var"):
            rows = _batch_norm(graph, rows, f"{name}.2")
    return graph.linear(rows, f"heads.{head}.output"), graph.rows_of(f"heads.{head}.output.weight")


def _batch_norm(graph: Graph, value: str, name: str) -> str:
    """In prediction batch normalization is one factor and one summand by column."""
    array = {part: graph.array(f"{name}.{part}") for part in ("weight", "bias", "running_mean", "running_var")}
    factor = array["weight"] / np.sqrt(array["running_var"] + _NORM_EPS)
    summand = array["bias"] - array["running_mean"] * factor
    scaled = graph.node("Mul", value, graph.constant(f"{name}.factor", factor), name=f"{name}.scaled")
    return graph.node("Add", scaled, graph.constant(f"{name}.summand", summand), name=f"{name}.out")
