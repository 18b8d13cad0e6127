"""Map the weight names of KerasHub's ALBERT.

Sources: keras-hub (`keras_hub/src/models/albert/albert_backbone.py`, `albert_text_classifier.py`,
`albert_masked_lm.py`, `layers/modeling/transformer_encoder.py`, `masked_lm_head.py`) and keras
(`keras/src/saving/saving_lib.py`). A file names a layer by its class and a number (`layers/dense_1/vars/0`). Newer
files also store the layer's own name (`pooled_dense`), which takes precedence. In TensorFlow 2.13 to 2.15, `layers`
was called `_layer_checkpoint_dependencies`, and some attributes had one underscore more or less.

Shapes in the file (H hidden, N heads, D = H / N): a dense kernel is [in, out]; query, key and value are [H, N, D] with
a bias [N, D]; the attention's output is [N, D, H].
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch

from albertkit.checkpoints.rename import RenameTable

_LAYER = "groups.{group}.layers.{layer}"
_INNER = "group_{group}_inner_layer_{layer}"
_ATTENTION = _INNER + "/_self_attention_layer"

TABLE = RenameTable(
    (
        ("embeddings.word.weight", "token_embedding.weight"),
        ("embeddings.position.weight", "position_embedding.weight"),
        ("embeddings.token_type.weight", "segment_embedding.weight"),
        ("embeddings.norm.{leaf}", "embeddings_layer_norm.{leaf}"),
        ("embeddings.projection.{leaf}", "embedding_projection.{leaf}"),
        (_LAYER + ".attention.query.{leaf}", _ATTENTION + "/query_dense.{leaf}"),
        (_LAYER + ".attention.key.{leaf}", _ATTENTION + "/key_dense.{leaf}"),
        (_LAYER + ".attention.value.{leaf}", _ATTENTION + "/value_dense.{leaf}"),
        (_LAYER + ".attention.output.{leaf}", _ATTENTION + "/output_dense.{leaf}"),
        (_LAYER + ".attention.norm.{leaf}", _INNER + "/_self_attention_layer_norm.{leaf}"),
        (_LAYER + ".ffn.up.{leaf}", _INNER + "/_feedforward_intermediate_dense.{leaf}"),
        (_LAYER + ".ffn.down.{leaf}", _INNER + "/_feedforward_output_dense.{leaf}"),
        (_LAYER + ".ffn.norm.{leaf}", _INNER + "/_feedforward_layer_norm.{leaf}"),
        ("pooler.{leaf}", "pooled_dense.{leaf}"),
        ("heads.classifier.{leaf}", "logits.{leaf}"),
        ("heads.mlm.dense.{leaf}", "mlm_head/_intermediate_dense.{leaf}"),
        ("heads.mlm.norm.{leaf}", "mlm_head/_intermediate_layer_norm.{leaf}"),
        ("heads.mlm.bias", "mlm_head.weight"),  # the layer's first and only variable of its own
    )
)
"""Canonical name <-> the layer's name, the way inside it, and which of its two variables."""

BACKBONE = {
    "token_embedding": "reversible_embedding",
    "position_embedding": "position_embedding",
    "segment_embedding": "embedding",
    "embeddings_layer_norm": "layer_normalization",
    "embedding_projection": "dense",
    "pooled_dense": "dense_1",
}
"""Name of a layer of the backbone -> what its class and number make it in the file; inner layers follow their order."""

TASK = {"logits": "dense", "mlm_head": "masked_lm_head"}
"""The same for the layers that a task adds to the backbone."""

_PATH = re.compile(
    r"(?P<group>(?:layers|_layer_checkpoint_dependencies)/(?P<layer>[^/]+))(?P<inside>/.*)?/vars/(?P<i>[01])"
)
_ENCODER = re.compile(r"transformer_encoder(?:_(\d{1,9}))?")
_INNER_NAME = re.compile(r"group_\d{1,9}_inner_layer_\d{1,9}")


def plain_names(
    paths: Iterable[str], names: Mapping[str, str], *, layers: Mapping[str, str], inner: int
) -> dict[str, str]:
    """Find out which array is which.

    Args:
        paths: paths of the arrays in the file.
        names: path of a layer's group -> the layer's own name, where the file gives one.
        layers: BACKBONE or TASK.
        inner: number of inner layers in a group, to number the encoders of files without names.

    Returns:
        Name as in `TABLE` -> path, without arrays that belong to no layer of the network.

    >>> plain_names(["layers/dense_1/vars/0", "vars/0"], {}, layers=BACKBONE, inner=1)
    {'pooled_dense.weight': 'layers/dense_1/vars/0'}
    """
    matches = [(path, match) for path in paths if (match := _PATH.fullmatch(path))]
    by_class = {name: own for own, name in layers.items()}
    encoders = {int(found[1] or 0) for _, match in matches if (found := _ENCODER.fullmatch(match["layer"]))}
    for place, number in enumerate(sorted(encoders)):
        name = f"transformer_encoder_{number}" if number else "transformer_encoder"
        by_class[name] = f"group_{place // inner}_inner_layer_{place % inner}"
    plain: dict[str, str] = {}
    for path, match in matches:
        own = names.get(match["group"], "")
        layer = own if own in layers or _INNER_NAME.fullmatch(own) else by_class.get(match["layer"])
        if layer is not None:
            plain[f"{layer}{_todays(match['inside'] or '')}.{('weight', 'bias')[int(match['i'])]}"] = path
    return plain


def _todays(inside: str) -> str:
    inside = re.sub(r"/_?(query|key|value|output)_dense\b", r"/\1_dense", inside)
    return inside.replace("layernorm", "layer_norm")


def file_paths(state: Iterable[str], layers: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the path in the file of each tensor of a canonical state.

    Args:
        state: canonical names, all of them in `TABLE`, group by group.
        layers: BACKBONE or TASK.

    Returns:
        `(paths, names)`: canonical name -> path in the file, and path of a layer's group -> the layer's own name.
    """
    paths: dict[str, str] = {}
    names: dict[str, str] = {}
    encoders: dict[str, str] = {}
    for canonical in state:
        plain = TABLE.to_foreign(canonical)
        assert plain is not None, canonical
        way, leaf = plain.rsplit(".", 1)
        layer, _, inside = way.partition("/")
        if _INNER_NAME.fullmatch(layer):
            number = len(encoders)
            encoders.setdefault(layer, f"transformer_encoder_{number}" if number else "transformer_encoder")
        group = f"layers/{encoders.get(layer) or layers[layer]}"
        names[group] = layer
        paths[canonical] = f"{group}{'/' * bool(inside)}{inside}/vars/{('weight', 'bias').index(leaf)}"
    return paths, names


def heads_in(kernel_shape: tuple[int, ...]) -> int | None:
    """Return the number of heads that the shape [H, N, D] of a query kernel shows; None for another rank."""
    return kernel_shape[1] if len(kernel_shape) == 3 else None


def to_canonical(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Bring one array of the file to our shape; an array of another rank is left for the shape check to tell.

    >>> to_canonical("groups.0.layers.0.attention.query.weight", torch.zeros(6, 2, 3)).shape
    torch.Size([6, 6])
    """
    parts = name.split(".")
    if len(parts) > 3 and parts[-2] in ("query", "key", "value"):
        rank = 3 if parts[-1] == "weight" else 2
        tensor = tensor.flatten(rank - 2) if tensor.ndim == rank else tensor
    elif name.endswith("attention.output.weight") and tensor.ndim == 3:
        tensor = tensor.flatten(0, 1)
    return tensor.t().contiguous() if _is_kernel(name) and tensor.ndim == 2 else tensor


def to_keras(name: str, tensor: torch.Tensor, num_heads: int) -> torch.Tensor:
    """Bring one tensor of ours to the shape of the file.

    >>> to_keras("groups.0.layers.0.attention.output.weight", torch.zeros(6, 6), 2).shape
    torch.Size([2, 3, 6])
    """
    tensor = tensor.t().contiguous() if _is_kernel(name) else tensor
    parts = name.split(".")
    if len(parts) > 3 and parts[-2] in ("query", "key", "value"):
        return tensor.reshape(*tensor.shape[:-1], num_heads, -1)
    return tensor.reshape(num_heads, -1, tensor.shape[1]) if name.endswith("attention.output.weight") else tensor


def _is_kernel(name: str) -> bool:
    tables = ("embeddings.word.weight", "embeddings.position.weight", "embeddings.token_type.weight")
    return name.endswith(".weight") and ".norm." not in name and name not in tables
