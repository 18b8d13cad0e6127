"""Names of google-research/albert's variables, for its TF1 checkpoints, its hub modules and what was made of them.

Each row of the table was looked up in the source: `modeling.py` (encoder, pooler), `run_pretraining.py`
(cls/predictions, cls/seq_relationship), `classifier_utils.py` and `race_utils.py` (output_weights), `squad_utils.py`
(cls/squad of version 1.1; start_logits, end_logits, answer_class of version 2).

TensorFlow holds the matrix of a dense layer as `kernel` [in, out], ours are [out, in]; the `output_weights` that Google
made by hand are [out, in] already.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

import torch

from albertkit.checkpoints.rename import RenameTable
from albertkit.errors import CheckpointError

Rows = Iterator[tuple[str, str]]


def _dense(canonical: str, variable: str) -> Rows:
    yield f"{canonical}.weight", f"{variable}/kernel"
    yield f"{canonical}.bias", f"{variable}/bias"


def _norm(canonical: str, variable: str) -> Rows:
    yield f"{canonical}.weight", f"{variable}/gamma"
    yield f"{canonical}.bias", f"{variable}/beta"


def _output(canonical: str, scope: str) -> Rows:
    yield f"{canonical}.weight", f"{scope}output_weights"
    yield f"{canonical}.bias", f"{scope}output_bias"


def _rows() -> Rows:
    yield "embeddings.word.weight", "bert/embeddings/word_embeddings"
    yield "embeddings.position.weight", "bert/embeddings/position_embeddings"
    yield "embeddings.token_type.weight", "bert/embeddings/token_type_embeddings"
    yield from _norm("embeddings.norm", "bert/embeddings/LayerNorm")
    yield from _dense("embeddings.projection", "bert/encoder/embedding_hidden_mapping_in")
    layer, inner = "groups.{group}.layers.{layer}", "bert/encoder/transformer/group_{group}/inner_group_{layer}"
    for part in ("query", "key", "value"):
        yield from _dense(f"{layer}.attention.{part}", f"{inner}/attention_1/self/{part}")
    yield from _dense(f"{layer}.attention.output", f"{inner}/attention_1/output/dense")
    yield from _norm(f"{layer}.attention.norm", f"{inner}/LayerNorm")
    yield from _dense(f"{layer}.ffn.up", f"{inner}/ffn_1/intermediate/dense")
    yield from _dense(f"{layer}.ffn.down", f"{inner}/ffn_1/intermediate/output/dense")
    yield from _norm(f"{layer}.ffn.norm", f"{inner}/LayerNorm_1")
    yield from _dense("pooler", "bert/pooler/dense")
    yield from _dense("heads.mlm.dense", "cls/predictions/transform/dense")
    yield from _norm("heads.mlm.norm", "cls/predictions/transform/LayerNorm")
    yield "heads.mlm.bias", "cls/predictions/output_bias"
    yield from _output("heads.sop", "cls/seq_relationship/")
    yield from _output("heads.span", "cls/squad/")
    yield from _dense("heads.answer.start", "start_logits/dense")
    yield from _dense("heads.answer.end.dense", "end_logits/dense_0")
    yield from _norm("heads.answer.end.norm", "end_logits/LayerNorm")
    yield from _dense("heads.answer.end.output", "end_logits/dense_1")
    yield from _dense("heads.answer.answerable.dense", "answer_class/dense_0")
    yield "heads.answer.answerable.output.weight", "answer_class/dense_1/kernel"
    yield from _output("heads.classifier", "")
    # Written like the row above and read as it: the name and the shape [1, H] of RACE's head are a regression's too.
    yield from _output("heads.choice", "")


TABLE = RenameTable(_rows())
"""Canonical name <-> name of Google's variable."""

HEADS = ("mlm", "sop", "classifier", "choice", "span", "answer")
"""Heads that the table can name; `classifier` and `choice` share their names, so a file holds one of the two."""

_MODULE = re.compile(r"module(_\d+)?/")  # the scope of hub.Module
_COUNTERS = re.compile(r"(.*/)?(global_step|beta[12]_power|(current_)?loss_scale|good_steps|Variable)(_\d+)?")
_SLOT = re.compile(r"(adam|lamb)_[mv]|(Adam|LAMB|LAMBOptimizer|Momentum|Adafactor|ExponentialMovingAverage)(_\d+)?")


def plain_name(variable: str) -> str:
    """Return a variable's name without the scope of a hub module.

    >>> plain_name("module/bert/pooler/dense/bias")
    'bert/pooler/dense/bias'
    """
    return _MODULE.sub("", variable, count=1) if _MODULE.match(variable) else variable


def is_bookkeeping(variable: str, variables: Collection[str]) -> bool:
    """Return whether a variable belongs to the training and not to the network: a counter or an optimizer's slot.

    A slot is named after its variable, with one part more; an unknown optimizer's counts where the variable is there.

    Args:
        variable: the name in question.
        variables: all names of the checkpoint.

    >>> is_bookkeeping("bert/pooler/dense/bias/adam_m", ()), is_bookkeeping("bert/pooler/dense/bias", ())
    (True, False)
    """
    owner, _, slot = variable.rpartition("/")
    return bool(_COUNTERS.fullmatch(variable)) or bool(owner and (_SLOT.fullmatch(slot) or owner in variables))


def to_canonical_state(
    variables: Mapping[str, torch.Tensor], *, where: str = "variables"
) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """Rename Google's variables and turn their kernels.

    Args:
        variables: name -> tensor as TensorFlow holds it: dense kernels [in, out]. Counters and slots are skipped.
        where: what an error message calls the file.

    Returns:
        `(state, unexpected)`: canonical name -> tensor with linear weights [out, in] (turned views, which take no
        memory), and the names that have no place in the table.

    Raises:
        CheckpointError: two variables map to one tensor.
    """
    names: dict[str, str] = {}
    for name in variables:
        if is_bookkeeping(name, variables):
            continue
        if (plain := plain_name(name)) in names:
            raise CheckpointError(f'{where}: "{names[plain]}" and "{name}" are the same tensor; remove one of the two')
        names[plain] = name
    turned = {
        plain: _turned(variables[name]) if name.endswith("/kernel") else variables[name]
        for plain, name in names.items()
        if TABLE.to_canonical(plain) is not None
    }
    state, _ = TABLE.read(turned, where=where)
    return state, tuple(name for plain, name in names.items() if plain not in turned)


def to_tf1_variables(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename a canonical state and turn its linear weights.

    Args:
        state: canonical name -> tensor; heads that Google's code has no variables for (see `HEADS`) are left out, as
            are deep ones. A state with `classifier` and `choice` has no place for both.

    Returns:
        Google's name -> tensor, dense kernels [in, out]; those are turned views, which take no memory.
    """
    variables, _ = TABLE.write(state)
    return {name: _turned(tensor) if name.endswith("/kernel") else tensor for name, tensor in variables.items()}


def _turned(matrix: torch.Tensor) -> torch.Tensor:
    return matrix.t() if matrix.ndim == 2 else matrix  # another rank is for the shape check to tell
