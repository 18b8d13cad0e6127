"""Vectors of length 1 in ONNX: the same function as `head.py`."""

from __future__ import annotations

from albertkit.graphs.graph import Graph
from albertkit.graphs.heads import Encoded

_SHORTEST = 1e-12  # what torch.nn.functional.normalize divides by at least


def unit_vectors(graph: Graph, encoded: Encoded, rows: str, *, head: str) -> tuple[str, int]:
    """Divide each pooled vector by its length."""
    del encoded
    last = graph.constant("number.1", [1], "int64")
    norm = graph.node("ReduceL2", rows, last, name=f"heads.{head}.norm", keepdims=1)
    least = graph.constant(f"heads.{head}.least", _SHORTEST)
    divisor = graph.node("Max", norm, least, name=f"heads.{head}.divisor")
    return graph.node("Div", rows, divisor, name=f"heads.{head}.out"), graph.rows_of("pooler.weight")
