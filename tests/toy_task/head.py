# ruff: noqa: ARG001, ARG002 - the signatures are those of Objective and OnnxHead
"""The toy's head in torch and in ONNX."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from albertkit.batching.batch import IntArray
from albertkit.config import AlbertConfig
from albertkit.graphs.graph import Graph
from albertkit.graphs.heads import Encoded
from albertkit.tasks.head_spec import LINEAR, HeadSpec
from albertkit.tasks.objective import Objective


class Directions(nn.Module):
    """One direction per grade."""

    def __init__(self, hidden_size: int, grades: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(grades, hidden_size) / hidden_size**0.5)

    def forward(self, pooled: Tensor) -> Tensor:
        """Return a number per grade."""
        return pooled @ self.weight.T


class GradeObjective(Objective):
    """Cross entropy of the grades."""

    def build(self, config: AlbertConfig, num_outputs: int, spec: HeadSpec = LINEAR) -> nn.Module:
        """Return fresh directions."""
        return Directions(spec.width(config.hidden_size), num_outputs)

    def losses_of(self, rows: Tensor, *, lengths: IntArray, counts: IntArray, targets: Tensor) -> Tensor:
        """Return the cross entropy of each text."""
        return F.cross_entropy(rows.float(), targets, reduction="none")


def in_onnx(graph: Graph, encoded: Encoded, rows: str, *, head: str) -> tuple[str, int]:
    """Add the product with the directions."""
    found = graph.node("Gemm", rows, graph.weight(f"heads.{head}.weight"), name=f"heads.{head}.out", transB=1)
    return found, graph.rows_of(f"heads.{head}.weight")


GRADES = GradeObjective()
