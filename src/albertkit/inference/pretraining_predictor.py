"""What a pretrained model says without fine-tuning: pieces for masks, and the order of two texts."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Batch, Sequence
from albertkit.errors import UsageError
from albertkit.hardware.device import Execution, choose_execution
from albertkit.inference.pytorch import PyTorchRuntime
from albertkit.models.pretrained import Model
from albertkit.text.encoding import Encoding

MASK = "[MASK]"

_KINDS = {"mlm": "masked-piece", "sop": "sentence-order"}


class CutTextWarning(UserWarning):
    """A text was longer than the model's positions, and its end was cut off."""


@dataclass(frozen=True)
class Candidate:
    """One piece that may stand for a mask."""

    piece: str
    """The piece of the vocabulary; U+2581 marks the start of a word."""
    probability: float
    """In [0, 1]; those of the whole vocabulary sum to 1."""


@dataclass(frozen=True)
class MaskFill:
    """What a model puts in the place of one mask."""

    position: int
    """Index of the mask among the tokens, [CLS] being 0."""
    candidates: tuple[Candidate, ...]
    """The most probable pieces, the best first."""


def fill_masks(
    model: Model, text: str, *, pair: str | None = None, top: int = 5, execution: Execution | None = None
) -> list[MaskFill]:
    """Return the most probable pieces for each [MASK] of a text.

    Each mask is filled alone: the probabilities of one do not depend on what is chosen for another.

    Args:
        model: with the masked-piece head.
        text: holds [MASK] once or more.
        pair: a second text, which may hold [MASK], too.
        top: how many pieces, 1 or more; the whole vocabulary where it is smaller.
        execution: device and precision; fp32 on `auto` when left out.

    Returns:
        One entry a mask, in the order of the tokens.

    Raises:
        UsageError: no masked-piece head, no [MASK], all masks behind the cut, or `top` below 1.
        TextError: a text that cannot be tokenised.
    """
    _need_head(model, "mlm")
    if top < 1:
        raise UsageError(f"--top is {top}; it must be 1 or more")
    masks = sum(each.count(MASK) for each in (text, pair or ""))
    if not masks:
        raise UsageError(f'the text holds no {MASK}: write one where a piece is to be found, e.g. "a {MASK} of tea"')
    encoding = _encode(model, text, pair, allowed=(MASK,))
    input_ids = np.array(encoding.input_ids)
    positions = np.flatnonzero(input_ids == model.tokenizer.mask_id)
    longest = model.network.config.max_position_embeddings
    if not len(positions):
        raise UsageError(f"every {MASK} stands behind the {longest} tokens that the model takes; give a shorter text")
    if len(positions) < masks:
        warnings.warn(
            f"{masks - len(positions)} of {masks} {MASK} stand behind the {longest} tokens that the model takes",
            CutTextWarning,
            stacklevel=2,
        )
    kept = without_lost_spaces(model, encoding)
    at = np.searchsorted(kept, positions)
    logits = _run(model, encoding, "mlm_logits", execution, kept=kept)[at]  # masks, vocabulary
    # What ties keeps the order of the ids: the same candidates on every machine.
    best = np.argsort(-logits, axis=1, kind="stable")[:, :top]
    probabilities = np.take_along_axis(_softmax(logits), best, axis=1)
    return [
        MaskFill(
            int(position),
            tuple(
                Candidate(piece, float(probability))
                for piece, probability in zip(model.tokenizer.pieces(ids), row, strict=True)
            ),
        )
        for position, ids, row in zip(positions, best, probabilities, strict=True)
    ]


def sentence_order(model: Model, first: str, second: str, *, execution: Execution | None = None) -> float:
    """Return the probability in [0, 1] that `second` follows `first`, rather than the other way round.

    Args:
        model: with the sentence-order head.
        first: the text that is shown first.
        second: the text that is shown second.
        execution: device and precision; fp32 on `auto` when left out.

    Raises:
        UsageError: the model has no sentence-order head.
        TextError: a text that cannot be tokenised.
    """
    _need_head(model, "sop")
    logits = _run(model, _encode(model, first, second, allowed=()), "sop_logits", execution)
    return float(_softmax(logits)[0, 0])  # column 0: in order


def _need_head(model: Model, head: str) -> None:
    if head not in model.network.heads:
        has = ", ".join(sorted(model.network.heads)) or "none"
        raise UsageError(
            f"{model.source} holds no {_KINDS[head]} head (heads: {has}): give a model with the heads of pretraining, "
            "such as a run of albertkit pretrain or an AlbertForPreTraining folder"
        )


def _encode(model: Model, text: str, pair: str | None, *, allowed: Collection[str]) -> Encoding:
    longest = model.network.config.max_position_embeddings
    encoding = model.tokenizer.encode(text, pair, max_length=longest, allow_special=allowed)
    if encoding.truncated:
        warnings.warn(
            f"the text is {encoding.truncated} tokens longer than the {longest} that {model.source} takes; "
            "its end was cut off",
            CutTextWarning,
            stacklevel=3,
        )
    return encoding


def without_lost_spaces(model: Model, encoding: Encoding) -> npt.NDArray[np.int64]:
    """Return the tokens that the network is shown: all but a lone space right after a mask.

    The tokenizer starts anew after [MASK], as transformers' does, so "[MASK]." gets a space before its stop, which
    stands in no running text: the network would see a word's end where it never saw one.

    Args:
        model: whose tokenizer made the encoding.
        encoding: of a text with [MASK].

    Returns:
        Numbers of the tokens that stay, ascending.
    """
    input_ids = np.array(encoding.input_ids)
    spaces = model.tokenizer.ids(["\u2581"])
    lost = np.isin(input_ids, spaces) & (np.roll(input_ids, 1) == model.tokenizer.mask_id)
    return np.flatnonzero(~lost)


def _run(
    model: Model,
    encoding: Encoding,
    output: str,
    execution: Execution | None,
    *,
    kept: npt.NDArray[np.int64] | slice = slice(None),
) -> npt.NDArray[np.float64]:
    chosen = execution or choose_execution(precision="fp32")
    sequence = Sequence(np.array(encoding.input_ids)[kept], np.array(encoding.token_type_ids)[kept])
    found = PyTorchRuntime(model.network, execution=chosen).run(Batch.pack([sequence]), outputs=[output])
    return found[output].astype(np.float64)


def _softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), dtype=np.float64)
