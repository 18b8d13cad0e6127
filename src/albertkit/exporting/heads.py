"""A task's head in the graph of an export, on what it reads of the encoder."""

from __future__ import annotations

from onnx import TensorProto

from albertkit.checkpoints.dense import Dense
from albertkit.errors import UsageError
from albertkit.graphs.graph import Graph
from albertkit.graphs.heads import Encoded, OnnxHead
from albertkit.inference.exported import STATES, VECTORS
from albertkit.models.loaded import EmbeddingSpec
from albertkit.registry import resolve
from albertkit.tasks.head_spec import HeadSpec
from albertkit.tasks.objective import objective_of
from albertkit.tasks.similarity.onnx_head import unit_vectors
from albertkit.tasks.task import Task

MAP = "vector.map"
"""Name of the map between pooling and head, for models that compare mapped vectors."""


def add_head(graph: Graph, encoded: Encoded, *, task: Task, spec: HeadSpec) -> tuple[str, list[str | int]]:
    """Add the task head.

    Args:
        graph: the encoder's.
        encoded: what the encoder says.
        task: whose head it is.
        spec: what it reads; the graph has the weights of its map under `MAP`.

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
    pooled = _mapped(graph, _pooled(graph, encoded, spec.pooling), spec.dense)
    rows, width = add(graph, encoded, pooled, head=task.head)
    width = width if spec.dense is None else spec.dense.out_features
    return graph.node("Identity", rows, name="logits"), ["batch", width]


def add_vectors(graph: Graph, encoded: Encoded, spec: EmbeddingSpec) -> None:
    """Add the vectors that `Predictor.embed` gives, `sentence_embedding`, and the states by the name that others use.

    Args:
        graph: the encoder's, with the weights of the map under `MAP`.
        encoded: what the encoder says.
        spec: pooling, map and scaling.
    """
    pooled = _mapped(graph, _pooled(graph, encoded, spec.pooling), spec.dense)
    if spec.normalize:
        pooled = unit_vectors(graph, encoded, pooled, head="vectors")[0]
    graph.node("Identity", pooled, name=VECTORS)
    graph.node("Identity", encoded.sequence, name=STATES)


def _mapped(graph: Graph, pooled: str, dense: Dense | None) -> str:
    if dense is None:
        return pooled
    mapped = graph.linear(pooled, MAP)
    return graph.node("Tanh", mapped, name="vector.tanh") if dense.activation == "tanh" else mapped


def _pooled(graph: Graph, encoded: Encoded, pooling: str) -> str:
    """Add a pooling of `albertkit.tasks.pooling` on padded states; a head in the file reads it."""
    if pooling == "pooler":
        return encoded.pooled
    if pooling == "cls":
        return encoded.first
    if pooling == "mean":
        return _mean(graph, encoded.sequence, encoded.mask, name="mean")
    segments = graph.node("Cast", "token_type_ids", name="pair.segments", to=TensorProto.FLOAT)
    last = graph.constant("axes.2", [2], "int64")
    column = graph.node("Unsqueeze", segments, last, name="pair.column")  # [b, s, 1]
    of_second = graph.node("Mul", encoded.mask, column, name="pair.2")
    first, second = (
        _mean(graph, graph.node("Mul", encoded.sequence, mask, name=f"{name}.rows"), mask, name=name)
        for name, mask in (
            ("pair.first", graph.node("Sub", encoded.mask, of_second, name="pair.1")),
            ("pair.second", of_second),
        )
    )
    apart = graph.node("Abs", graph.node("Sub", first, second, name="pair.difference"), name="pair.apart")
    product = graph.node("Mul", first, second, name="pair.product")
    return graph.node("Concat", first, second, apart, product, name="pair", axis=1)


def _mean(graph: Graph, rows: str, mask: str, *, name: str) -> str:
    """Add the mean of the rows `[b, s, H]` of the tokens in the mask, `[b, s, 1]`; the other rows are 0."""
    middle = graph.constant("number.1", [1], "int64")
    total = graph.node("ReduceSum", rows, middle, name=f"{name}.sum", keepdims=0)
    tokens = graph.node("ReduceSum", mask, middle, name=f"{name}.tokens", keepdims=0)
    # A row that is padding throughout has the sum 0 of no tokens: its mean is 0, not 0 / 0.
    divisor = graph.node("Max", tokens, graph.constant("mean.least", 1.0), name=f"{name}.divisor")
    return graph.node("Div", total, divisor, name=name)
