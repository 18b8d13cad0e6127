"""A task's head in the graph of an export, on what it reads of the encoder."""

from __future__ import annotations

from albertkit.errors import UsageError
from albertkit.graphs.graph import Graph
from albertkit.graphs.heads import Encoded, OnnxHead
from albertkit.registry import resolve
from albertkit.tasks.objective import objective_of
from albertkit.tasks.task import Task


def add_head(graph: Graph, encoded: Encoded, *, task: Task, pooling: str) -> tuple[str, list[str | int]]:
    """Add the task head.

    Args:
        graph: the encoder's.
        encoded: what the encoder says.
        task: whose head it is.
        pooling: what a head on sequences reads: `pooler`, `cls` or `mean`.

    Returns:
        The name of the logits and their shape.

    Raises:
        UsageError: the task has no head in ONNX.
    """
    if not task.onnx_head:
        raise UsageError(f"the head of {task.name} cannot be exported; run this model with torch")
    add: OnnxHead = resolve(task.onnx_head)
    if objective_of(task).reads == "tokens":
        rows, width = add(graph, encoded, encoded.rows, head=task.head)
        shape = graph.shape("logits.shape", encoded.batch, encoded.length, width)
        return graph.node("Reshape", rows, shape, name="logits"), ["batch", "sequence", width]
    rows, width = add(graph, encoded, _pooled(graph, encoded, pooling), head=task.head)
    return graph.node("Identity", rows, name="logits"), ["batch", width]


def _pooled(graph: Graph, encoded: Encoded, pooling: str) -> str:
    """Add a pooling of `albertkit.tasks.pooling` on padded states; a head in the file reads it."""
    if pooling == "pooler":
        return encoded.pooled
    if pooling == "cls":
        return encoded.first
    middle = graph.constant("number.1", [1], "int64")
    total = graph.node("ReduceSum", encoded.sequence, middle, name="mean.sum", keepdims=0)
    tokens = graph.node("ReduceSum", encoded.mask, middle, name="mean.tokens", keepdims=0)
    # A row that is padding throughout has the sum 0 of no tokens: its mean is 0, not 0 / 0.
    divisor = graph.node("Max", tokens, graph.constant("mean.least", 1.0), name="mean.divisor")
    return graph.node("Div", total, divisor, name="mean")
