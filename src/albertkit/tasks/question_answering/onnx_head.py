"""Google's head for SQuAD 2.0 in ONNX: the same function as `head.py`, on padded states.

Letters: batch b, padded length s, tokens with padding t = b * s, hidden H, beams k.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from albertkit.graphs.graph import Graph
from albertkit.graphs.heads import Encoded
from albertkit.tasks.question_answering.decode import BEAMS

MASKED = -1e30
"""Logit of a token that cannot be chosen, as there."""


def answer(graph: Graph, encoded: Encoded, rows: str, *, head: str) -> tuple[str, int]:
    """Google's head for SQuAD 2.0; columns as in `AnswerObjective`."""
    del head  # it is always `answer`
    width = graph.rows_of("pooler.weight")
    masked = graph.constant("heads.answer.masked", MASKED)
    last = graph.constant("axes.2", [2], "int64")
    tokens = graph.shape("heads.answer.tokens", encoded.batch, encoded.length)  # b s
    states = graph.shape("heads.answer.states", encoded.batch, encoded.length, 1, width)  # b s 1 H

    allowed = _choosable(graph)  # b s
    raw = graph.node("Reshape", graph.linear(rows, "heads.answer.start"), tokens, name="heads.answer.start.raw")
    start = graph.node("Where", allowed, raw, masked, name="heads.answer.start.logits")

    # Padding comes after every token, as -inf does in torch, but is a number: a row of padding has shares, too. Five
    # columns more, so that there are five starts.
    nothing = graph.constant("heads.answer.nothing", -np.inf)
    padding = graph.constant("heads.answer.padding", np.finfo(np.float32).min)
    own = graph.node("Cast", "attention_mask", name="heads.answer.own", to=TensorProto.BOOL)
    known = graph.node("Where", own, start, padding, name="heads.answer.start.own")
    # Tokens that cannot be chosen are ordered by place: among equal ones not every runtime takes the first.
    place = graph.node("CumSum", "attention_mask", graph.constant("axis.1", 1, "int64"), name="heads.answer.place")
    step = graph.constant("heads.answer.step", MASKED / 1000)
    later = graph.node(
        "Mul",
        graph.node("Cast", place, name="heads.answer.place.fp32", to=TensorProto.FLOAT),
        step,
        name="heads.answer.later",
    )
    ordered = graph.node(
        "Where", allowed, known, graph.node("Add", known, later, name="heads.answer.behind"), name="heads.answer.order"
    )
    spare = graph.node(
        "Expand", nothing, graph.shape("heads.answer.spare.shape", encoded.batch, BEAMS), name="heads.answer.spare"
    )
    longer = graph.node("Concat", ordered, spare, name="heads.answer.start.longer", axis=1)
    beams = graph.several(
        "TopK",
        longer,
        graph.constant(f"number.{BEAMS}", [BEAMS], "int64"),
        names=("heads.answer.beams.logits", "heads.answer.beams"),
        axis=1,
    )[1]
    one = graph.constant("number.1", [1], "int64")
    end_of_row = graph.node("Sub", encoded.length, one, name="heads.answer.last")
    within = graph.node("Min", beams, end_of_row, name="heads.answer.beams.within")  # b k
    picked = graph.node("Unsqueeze", within, last, name="heads.answer.beams.rows")
    chosen = graph.node("GatherND", encoded.sequence, picked, name="heads.answer.chosen", batch_dims=1)  # b k H

    # The map of [token; start] is the sum of two maps.
    dense = graph.array("heads.answer.end.dense.weight")
    graph.add("heads.answer.end.dense.token", dense[:, :width])
    graph.add("heads.answer.end.dense.start", dense[:, width:])
    of_token = graph.node(
        "Gemm", rows, graph.weight("heads.answer.end.dense.token"), name="heads.answer.end.token", transB=1
    )
    flat = graph.constant("heads.answer.rows", [-1, width], "int64")
    of_start = graph.node(
        "Gemm",
        graph.node("Reshape", chosen, flat, name="heads.answer.chosen.rows"),
        graph.weight("heads.answer.end.dense.start"),
        graph.weight("heads.answer.end.dense.bias"),
        name="heads.answer.end.start",
        transB=1,
    )
    by_beam = graph.shape("heads.answer.end.beams", encoded.batch, 1, BEAMS, width)
    mixed = graph.node(
        "Add",
        graph.node("Reshape", of_token, states, name="heads.answer.end.token.states"),
        graph.node("Reshape", of_start, by_beam, name="heads.answer.end.start.states"),
        name="heads.answer.end.mixed",
    )  # b s k H
    bent = graph.node("Tanh", mixed, name="heads.answer.end.tanh")
    normed = graph.norm(bent, "heads.answer.end.norm", epsilon=1e-12)
    ends = graph.linear(graph.node("Reshape", normed, flat, name="heads.answer.end.rows"), "heads.answer.end.output")
    table = graph.shape("heads.answer.end.shape", encoded.batch, encoded.length, BEAMS)
    end = graph.node(
        "Where",
        graph.node("Unsqueeze", allowed, last, name="heads.answer.allowed.column"),
        graph.node("Reshape", ends, table, name="heads.answer.end.raw"),
        masked,
        name="heads.answer.end.logits",
    )  # b s k

    shares = graph.node("Softmax", known, name="heads.answer.start.shares", axis=1)
    by_state = graph.node("Unsqueeze", shares, one, name="heads.answer.start.shares.row")  # b 1 s
    expected = graph.node(
        "Squeeze",
        graph.node("MatMul", by_state, encoded.sequence, name="heads.answer.expected.row"),
        one,
        name="heads.answer.expected",
    )  # b H
    both = graph.node("Concat", expected, encoded.first, name="heads.answer.answerable.in", axis=1)
    judged = graph.node(
        "Tanh", graph.linear(both, "heads.answer.answerable.dense"), name="heads.answer.answerable.tanh"
    )
    none = graph.linear(judged, "heads.answer.answerable.output", bias=False)  # b 1
    column = graph.shape("heads.answer.column", encoded.batch, encoded.length, 1)
    everywhere = graph.node(
        "Expand",
        graph.node("Unsqueeze", none, last, name="heads.answer.none"),
        column,
        name="heads.answer.none.column",
    )
    first = graph.node("Unsqueeze", start, last, name="heads.answer.start.column")
    return graph.node("Concat", first, end, everywhere, name="heads.answer.out", axis=2), BEAMS + 2


def _choosable(graph: Graph) -> str:
    """[CLS], and the context's tokens without its [SEP], which is the last token: `[b, s]`."""
    one = graph.constant("number.1", [1], "int64")
    place = graph.node("CumSum", "attention_mask", graph.constant("axis.1", 1, "int64"), name="heads.answer.place")
    total = graph.node("ReduceSum", "attention_mask", one, name="heads.answer.length", keepdims=1)
    before = graph.node("Less", place, total, name="heads.answer.before")
    context = graph.node("Equal", "token_type_ids", one, name="heads.answer.context")
    inside = graph.node("And", before, context, name="heads.answer.inside")
    head = graph.node("Equal", place, one, name="heads.answer.head")
    start = graph.node("Cast", "attention_mask", name="heads.answer.token", to=TensorProto.BOOL)
    first = graph.node("And", head, start, name="heads.answer.first")
    return graph.node("Or", inside, first, name="heads.answer.allowed")
