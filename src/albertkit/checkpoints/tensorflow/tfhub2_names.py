"""Names and shapes of the TensorFlow Model Garden's AlbertEncoder, and the way from there to the canonical state.

The table follows the layers that official/nlp/modeling/networks/albert_encoder.py names (albert_transformer_encoder.py
before 2020-08) and, for the head of masked pieces, official/nlp/modeling/layers/masked_lm.py. Names carry any scope in
front (`bert_model/`, `bert/cls/`), so their ends are compared.

Letters in shapes: H hidden_size, N attention heads, D width of a head (H = N D).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from albertkit.errors import CheckpointError

_LAYER = "groups.0.layers.0"
_DENSE = (("weight", "kernel"), ("bias", "bias"))
_NORM = (("weight", "gamma"), ("bias", "beta"))
_TABLE = (("weight", "embeddings"),)

# (canonical, theirs, leaves); where two rows share a canonical name the first is today's.
_ROWS = (
    ("embeddings.word", "word_embeddings", _TABLE),
    ("embeddings.position", "position_embedding", _TABLE),
    ("embeddings.token_type", "type_embeddings", _TABLE),
    ("embeddings.norm", "embeddings/layer_norm", _NORM),
    ("embeddings.projection", "embedding_projection", _DENSE),
    (f"{_LAYER}.attention.query", "transformer/self_attention/query", _DENSE),
    (f"{_LAYER}.attention.key", "transformer/self_attention/key", _DENSE),
    (f"{_LAYER}.attention.value", "transformer/self_attention/value", _DENSE),
    (f"{_LAYER}.attention.output", "transformer/self_attention/attention_output", _DENSE),
    (f"{_LAYER}.attention.output", "transformer/self_attention_output", _DENSE),
    (f"{_LAYER}.attention.norm", "transformer/self_attention_layer_norm", _NORM),
    (f"{_LAYER}.ffn.up", "transformer/intermediate", _DENSE),
    (f"{_LAYER}.ffn.down", "transformer/output", _DENSE),
    (f"{_LAYER}.ffn.norm", "transformer/output_layer_norm", _NORM),
    ("pooler", "pooler_transform", _DENSE),
    ("heads.mlm.dense", "predictions/transform/dense", _DENSE),
    ("heads.mlm.norm", "predictions/transform/LayerNorm", _NORM),
)
_MLM_BIAS = ("predictions/output_bias/bias", "predictions/output_bias")

CANONICAL: Mapping[str, str] = {
    **{f"{theirs}/{leaf}": f"{ours}.{our_leaf}" for ours, theirs, leaves in _ROWS for our_leaf, leaf in leaves},
    **dict.fromkeys(_MLM_BIAS, "heads.mlm.bias"),
}
"""The end of their name -> canonical name."""

TODAYS: Mapping[str, str] = {ours: theirs for theirs, ours in reversed(tuple(CANONICAL.items()))}
"""Canonical name -> what the Model Garden calls it today."""

_MOST_PARTS = max(name.count("/") for name in CANONICAL) + 1
_LINEAR = {f"{ours}.weight" for ours, _, leaves in _ROWS if leaves is _DENSE}
_INTO_HEADS = tuple(f"{_LAYER}.attention.{part}" for part in ("query", "key", "value"))
_FROM_HEADS = f"{_LAYER}.attention.output.weight"


def canonical_name(name: str) -> str | None:
    """Return the canonical name of a variable, or None for one that no ALBERT has.

    >>> canonical_name("bert_model/transformer/self_attention/query/kernel:0")
    'groups.0.layers.0.attention.query.weight'
    >>> canonical_name("transformer/layer_0/self_attention/query/kernel")  # BERT's
    """
    parts = name.removesuffix(":0").rsplit("/", _MOST_PARTS)[-_MOST_PARTS:]
    for first in range(len(parts)):
        found = CANONICAL.get("/".join(parts[first:]))
        if found is not None:
            return found
    return None


def number_of_heads(shapes: Mapping[str, tuple[int, ...]], *, where: str) -> int | None:
    """Return the number of attention heads that the shapes of the kernels show.

    Args:
        shapes: canonical name -> shape in the file: query, key, value [H, N, D], their biases [N, D], output [N, D, H].
        where: what an error message calls the file.

    Returns:
        N, or None where all are flat.

    Raises:
        CheckpointError: they show different numbers.
    """
    shown = dict(_heads(shapes))
    if len(set(shown.values())) > 1:
        listed = ", ".join(f"{TODAYS[name]} {list(shapes[name])}" for name in shown)
        raise CheckpointError(f"{where}: the numbers of attention heads disagree ({listed}); the file is corrupt")
    return next(iter(shown.values()), None)


def _heads(shapes: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, int]]:
    for name in _INTO_HEADS:
        for leaf, rank, axis in (("weight", 3, 1), ("bias", 2, 0)):
            shape = shapes.get(f"{name}.{leaf}", ())
            if len(shape) == rank:
                yield f"{name}.{leaf}", shape[axis]
    if len(shapes.get(_FROM_HEADS, ())) == 3:
        yield _FROM_HEADS, shapes[_FROM_HEADS][0]


def to_canonical(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Return a variable as the canonical state holds it: linear weights [out, in], heads side by side.

    A shape that does not fit is left for the check of the state to tell.

    >>> to_canonical("groups.0.layers.0.attention.query.weight", torch.zeros(6, 2, 3)).shape
    torch.Size([6, 6])

    Args:
        name: canonical name.
        tensor: in the shape of the file.
    """
    if name == _FROM_HEADS and tensor.dim() == 3:
        tensor = tensor.flatten(0, 1)  # [H, H]
    elif name.startswith(_INTO_HEADS) and tensor.dim() == (3 if name.endswith("weight") else 2):
        tensor = tensor.flatten(1) if name.endswith("weight") else tensor.flatten()  # [H, H], [H]
    if name in _LINEAR and tensor.dim() == 2:
        tensor = tensor.t().contiguous()
    return tensor
