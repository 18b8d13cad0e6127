"""Compute the tensors of a configuration, their shapes and their cost. Without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import TypedDict

from albertkit.checkpoints.checkpoint import HEADS
from albertkit.config import AlbertConfig

Shapes = dict[str, tuple[int, ...]]


def _linear(name: str, out: int, inner: int) -> Shapes:
    return {f"{name}.weight": (out, inner), f"{name}.bias": (out,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def encoder_shapes(config: AlbertConfig, *, pooler: bool = True) -> Shapes:
    """Return canonical name -> shape of embeddings, layers and pooler, in the order of computation.

    Args:
        config: the network; the projection is absent where it has none.
        pooler: whether the pooler belongs to it.

    >>> encoder_shapes(AlbertConfig(hidden_size=768, num_attention_heads=12))["embeddings.projection.weight"]
    (768, 128)
    """
    embedding, hidden = config.embedding_size, config.hidden_size
    shapes: Shapes = {
        "embeddings.word.weight": (config.vocab_size, embedding),
        "embeddings.position.weight": (config.max_position_embeddings, embedding),
        "embeddings.token_type.weight": (config.type_vocab_size, embedding),
        **_norm("embeddings.norm", embedding),
    }
    if config.has_projection:
        shapes |= _linear("embeddings.projection", hidden, embedding)
    for group in range(config.num_hidden_groups):
        for inner in range(config.inner_group_num):
            layer = f"groups.{group}.layers.{inner}"
            for part in ("query", "key", "value", "output"):
                shapes |= _linear(f"{layer}.attention.{part}", hidden, hidden)
            shapes |= _norm(f"{layer}.attention.norm", hidden)
            shapes |= _linear(f"{layer}.ffn.up", config.intermediate_size, hidden)
            shapes |= _linear(f"{layer}.ffn.down", hidden, config.intermediate_size)
            shapes |= _norm(f"{layer}.ffn.norm", hidden)
    if pooler:
        shapes |= _linear("pooler", hidden, hidden)
    return shapes


def head_shapes(config: AlbertConfig, head: str, num_labels: int | None = None, *, reads_pairs: bool = False) -> Shapes:
    """Return canonical name -> shape of one (linear) head.

    Args:
        config: the network under the head.
        head: one of `HEADS`; the decoder of "mlm" is tied to embeddings.word.weight and has only a bias of its own.
        num_labels: number of labels; only "classifier" and "tags" need it.
        reads_pairs: whether "classifier" or "choice" reads two texts side by side, four vectors (pooling `pair`).

    >>> head_shapes(AlbertConfig(hidden_size=768, num_attention_heads=12), "classifier", 3)
    {'heads.classifier.weight': (3, 768), 'heads.classifier.bias': (3,)}
    """
    assert head in HEADS, head
    hidden, embedding = config.hidden_size, config.embedding_size
    if head == "mlm":
        return {
            **_linear("heads.mlm.dense", embedding, hidden),
            **_norm("heads.mlm.norm", embedding),
            "heads.mlm.bias": (config.vocab_size,),
        }
    if head == "answer":  # google-research/albert squad_utils.py, create_v2_model
        return {
            **_linear("heads.answer.start", 1, hidden),
            **_linear("heads.answer.end.dense", hidden, 2 * hidden),
            **_norm("heads.answer.end.norm", hidden),
            **_linear("heads.answer.end.output", 1, hidden),
            **_linear("heads.answer.answerable.dense", hidden, 2 * hidden),
            "heads.answer.answerable.output.weight": (1, hidden),
        }
    rows = {"sop": 2, "span": 2, "choice": 1}.get(head, num_labels)
    assert rows is not None, f"the number of labels of {head} is not known"
    return _linear(f"heads.{head}", rows, 4 * hidden if reads_pairs and head in ("classifier", "choice") else hidden)


class ParameterCounts(TypedDict):
    """Number of parameters by part; `total` is the sum of the others."""

    total: int
    embeddings: int
    projection: int
    shared_layers: int
    pooler: int
    heads: int


def _count(shapes: Mapping[str, tuple[int, ...]], prefix: str = "") -> int:
    return sum(prod(shape) for name, shape in shapes.items() if name.startswith(prefix))


def parameter_counts(
    config: AlbertConfig, *, heads: Sequence[str] = (), num_labels: int | None = None
) -> ParameterCounts:
    """Count parameters by part.

    Args:
        config: the network.
        heads: linear heads to count as well; none by default, so that `total` is encoder and pooler.
        num_labels: number of labels, for "classifier" and "tags".

    >>> parameter_counts(AlbertConfig(hidden_size=768, num_attention_heads=12, intermediate_size=3072))["total"]
    11683584
    """
    shapes = encoder_shapes(config)
    projection = _count(shapes, "embeddings.projection.")
    counted = sum(_count(head_shapes(config, head, num_labels)) for head in heads)
    return {
        "total": _count(shapes) + counted,
        "embeddings": _count(shapes, "embeddings.") - projection,
        "projection": projection,
        "shared_layers": _count(shapes, "groups."),
        "pooler": _count(shapes, "pooler."),
        "heads": counted,
    }


def unshared_parameters(config: AlbertConfig) -> int:
    """Count the parameters of the same network unshared and unfactorized.

    Every application of a layer has weights of its own and the embeddings are as wide as the layers; the pooler
    belongs to it, heads do not.

    >>> unshared_parameters(AlbertConfig(hidden_size=768, num_attention_heads=12, intermediate_size=3072))
    109081344
    """
    return _count(
        encoder_shapes(replace(config, embedding_size=config.hidden_size, num_hidden_groups=config.num_hidden_layers))
    )


def flops_per_token(config: AlbertConfig) -> int:
    """Return the floating-point operations that one token costs forward: two for each product of a linear map.

    Every application of a layer counts, shared or not: sharing saves memory and no operation. Left out are the tables
    of embeddings (looked up), the pooler (once per sequence) and attention's products between tokens (they grow with
    the length).

    >>> flops_per_token(AlbertConfig(hidden_size=768, num_attention_heads=12, intermediate_size=3072))
    170065920
    """
    weights = {name: prod(shape) for name, shape in encoder_shapes(config).items() if len(shape) == 2}
    layer = sum(size for name, size in weights.items() if name.startswith("groups.0."))
    return 2 * (weights.get("embeddings.projection.weight", 0) + config.num_hidden_layers * layer)
