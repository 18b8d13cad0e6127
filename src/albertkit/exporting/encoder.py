"""The encoder in ONNX: padded ids in, hidden states by token out.

Letters: batch b, padded length s, tokens with padding t = b * s, embedding E, hidden H, heads h, size of a head d.
"""

from __future__ import annotations

from onnx import TensorProto, helper

from albertkit.config import AlbertConfig
from albertkit.graphs.graph import Graph
from albertkit.graphs.heads import Encoded

HIDDEN_KEY = -65504.0
"""Added to the score of a key that pads; exp() of it is 0 in fp32, and it is a number in fp16, too."""


class GraphWalk:
    """Padded sequences on their way through the layers, as nodes of a graph.

    Args:
        graph: with the inputs `input_ids`, `attention_mask` and `token_type_ids`, `[b, s]`.
        config: configuration of the network.
        loop: run layers that share their weights in a Loop; else each is written out, on the same weights.
    """

    def __init__(self, graph: Graph, config: AlbertConfig, *, loop: bool = True) -> None:
        self.num_layers = config.num_hidden_layers
        self._graph, self._config, self._loop = graph, config, loop
        zero, one, two = (graph.constant(f"number.{k}", [k], "int64") for k in (0, 1, 2))
        size = graph.node("Shape", "input_ids", name="input_shape")
        self._batch = graph.node("Slice", size, zero, one, name="batch")
        self._length = graph.node("Slice", size, one, two, name="length")
        self._hidden = _embed(graph, config, self._length)
        mask = graph.node("Cast", "attention_mask", name="mask", to=TensorProto.BOOL)
        middle = graph.constant("axes.1.2", [1, 2], "int64")
        keys = graph.node("Unsqueeze", mask, middle, name="attention.keys")  # b 1 1 s
        shown, veiled = graph.constant("attention.shown", 0.0), graph.constant("attention.hidden", HIDDEN_KEY)
        self._bias = graph.node("Where", keys, shown, veiled, name="attention.bias")
        width = config.hidden_size // config.num_attention_heads
        self._split = graph.shape("attention.split", self._batch, self._length, config.num_attention_heads, width)

    def layer(self, number: int) -> None:
        """Add a layer; with `loop`, the first of those that share weights adds a Loop for all of them."""
        graph, config = self._graph, self._config
        groups = [config.group_of_layer(layer) for layer in range(self.num_layers)]
        group = groups[number]
        count = groups.count(group) if self._loop else 1
        if count == 1:
            self._hidden = _group(graph, self._hidden, config, group=group, bias=self._bias, split=self._split)
        elif groups.index(group) == number:
            self._hidden = _repeat(
                graph, self._hidden, config, group=group, count=count, bias=self._bias, split=self._split
            )

    def finish(self) -> Encoded:
        """Add what the heads read, with the pooler."""
        graph, hidden = self._graph, self._hidden
        shape = graph.shape("states.shape", self._batch, self._length, self._config.hidden_size)
        whole = graph.node("Reshape", hidden, shape, name="states")  # b s H
        last = graph.constant("axes.2", [2], "int64")
        own = graph.node("Unsqueeze", "attention_mask", last, name="own")
        kept = graph.node("Cast", own, name="own.fp32", to=TensorProto.FLOAT)
        sequence = graph.node("Mul", whole, kept, name="sequence_output")
        first = graph.node("Gather", whole, graph.constant("first", 0, "int64"), name="first_states", axis=1)
        pooled = graph.node("Tanh", graph.linear(first, "pooler"), name="pooled_output")
        return Encoded(hidden, sequence, first, pooled, kept, self._batch, self._length)


def _embed(graph: Graph, config: AlbertConfig, length: str) -> str:
    word = graph.picked("embeddings.word.weight", "input_ids", out="embeddings.word.out")
    kind = graph.node(
        "Gather", graph.weight("embeddings.token_type.weight"), "token_type_ids", name="embeddings.token_type.out"
    )
    start = graph.constant("number.0", [0], "int64")
    place = graph.node(
        "Slice", graph.weight("embeddings.position.weight"), start, length, name="embeddings.position.out"
    )
    summed = graph.node("Add", graph.node("Add", word, place, name="embeddings.sum"), kind, name="embeddings.sum")
    hidden = graph.norm(summed, "embeddings.norm", epsilon=config.layer_norm_eps)
    flat = graph.constant("embeddings.rows", [-1, config.embedding_size], "int64")
    rows = graph.node("Reshape", hidden, flat, name="embeddings.out")  # t E
    if not config.has_projection:
        return rows
    return graph.linear(rows, "embeddings.projection")


def _repeat(graph: Graph, hidden: str, config: AlbertConfig, *, group: int, count: int, bias: str, split: str) -> str:
    """Apply a group several times in a Loop."""
    body = graph.body()
    name = f"groups.{group}"
    out = _group(body, f"{name}.in", config, group=group, bias=bias, split=split)
    go_on = body.node("Identity", f"{name}.go", name=f"{name}.going")
    rows = [None, config.hidden_size]
    inner = helper.make_graph(
        body.nodes,
        f"{name}.body",
        [
            helper.make_tensor_value_info(f"{name}.step", TensorProto.INT64, []),
            helper.make_tensor_value_info(f"{name}.go", TensorProto.BOOL, []),
            helper.make_tensor_value_info(f"{name}.in", TensorProto.FLOAT, rows),
        ],
        [
            helper.make_tensor_value_info(go_on, TensorProto.BOOL, []),
            helper.make_tensor_value_info(out, TensorProto.FLOAT, rows),
        ],
    )
    times, always = graph.constant(f"{name}.times", count, "int64"), graph.constant("always", True, "bool")
    return graph.node("Loop", times, always, hidden, name=f"{name}.out", body=inner)


def _group(graph: Graph, hidden: str, config: AlbertConfig, *, group: int, bias: str, split: str) -> str:
    for layer in range(config.inner_group_num):
        name = f"groups.{group}.layers.{layer}"
        hidden = _attention(graph, hidden, config, name=f"{name}.attention", bias=bias, split=split)
        inner = _activate(graph, graph.linear(hidden, f"{name}.ffn.up"), config.hidden_act, name=f"{name}.ffn")
        outer = graph.linear(inner, f"{name}.ffn.down")
        summed = graph.node("Add", outer, hidden, name=f"{name}.ffn.sum")
        hidden = graph.norm(summed, f"{name}.ffn.norm", epsilon=config.layer_norm_eps)
    return hidden


def _attention(graph: Graph, hidden: str, config: AlbertConfig, *, name: str, bias: str, split: str) -> str:
    width = config.hidden_size // config.num_attention_heads

    def heads(part: str, order: list[int]) -> str:
        whole = graph.node("Reshape", graph.linear(hidden, f"{name}.{part}"), split, name=f"{name}.{part}.split")
        return graph.node("Transpose", whole, name=f"{name}.{part}.heads", perm=order)

    query = heads("query", [0, 2, 1, 3])  # b h s d
    key = heads("key", [0, 2, 3, 1])  # b h d s
    value = heads("value", [0, 2, 1, 3])  # b h s d
    scale = graph.constant("attention.scale", width**-0.5)
    scores = graph.node("MatMul", graph.node("Mul", query, scale, name=f"{name}.scaled"), key, name=f"{name}.scores")
    shares = graph.node(
        "Softmax", graph.node("Add", scores, bias, name=f"{name}.masked"), name=f"{name}.shares", axis=-1
    )
    context = graph.node("MatMul", shares, value, name=f"{name}.context")
    joined = graph.node("Transpose", context, name=f"{name}.joined", perm=[0, 2, 1, 3])
    flat = graph.constant("attention.rows", [-1, config.hidden_size], "int64")
    mixed = graph.linear(graph.node("Reshape", joined, flat, name=f"{name}.rows"), f"{name}.output")
    summed = graph.node("Add", mixed, hidden, name=f"{name}.sum")
    return graph.norm(summed, f"{name}.norm", epsilon=config.layer_norm_eps)


def _activate(graph: Graph, value: str, activation: str, *, name: str) -> str:
    if activation == "relu":
        return graph.node("Relu", value, name=f"{name}.relu")
    form = "tanh" if activation == "gelu_new" else "none"
    return graph.node("Gelu", value, name=f"{name}.{activation}", approximate=form)
