"""Heads in ONNX: what the encoder hands to them, and the one that is a linear map.

Letters: batch b, padded length s, tokens with padding t = b * s, hidden H.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from albertkit.graphs.graph import Graph


@dataclass(frozen=True)
class Encoded:
    """Names of what the encoder says, for the heads."""

    rows: str
    """Last hidden states by token, `[t, H]`; rows of padding mean nothing."""
    sequence: str
    """The same `[b, s, H]`, 0 where padded."""
    first: str
    """Those of each sequence's first token, `[b, H]`."""
    pooled: str
    """The pooler's output, `[b, H]`."""
    mask: str
    """1.0 for a token and 0.0 for padding, `[b, s, 1]`."""
    batch: str
    """b, a shape of one number."""
    length: str
    """s, the same."""


class OnnxHead(Protocol):
    """Adds a task's head to a graph: the same function as the `head.py` of the task."""

    def __call__(self, graph: Graph, encoded: Encoded, rows: str, *, head: str) -> tuple[str, int]:
        """Return the name of the outputs, one row per row that the head reads, and their width.

        Args:
            graph: the encoder's, with the weights of the head.
            encoded: what the encoder says.
            rows: what the head reads: states by token, `[t, H]`, or pooled ones, `[b, H]`.
            head: name in canonical state.
        """


def linear(graph: Graph, encoded: Encoded, rows: str, *, head: str) -> tuple[str, int]:
    """Add `heads.<head>.weight` and its bias."""
    del encoded
    return graph.linear(rows, f"heads.{head}"), graph.rows_of(f"heads.{head}.weight")
