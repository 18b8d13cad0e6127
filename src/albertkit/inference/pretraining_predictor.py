"""Predict with a pretrained model without fine-tuning: pieces for masks, and the order of two texts.

`filling` and `ordering` build the model's input and decode its rows. `fill_masks` and `sentence_order` run the model
directly; a server runs it in passes that several requests share.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import IntArray
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.errors import UsageError
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import FloatArray, Work, run_work
from albertkit.models.loaded import Model

MASK = "[MASK]"

_KINDS = {"mlm": "masked-piece", "sop": "sentence-order"}


class CutTextWarning(UserWarning):
    """A text was longer than the model's positions, and its end was cut off."""


@dataclass(frozen=True)
class Candidate:
    """One possible piece for a mask."""

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


@dataclass(frozen=True)
class MaskedText:
    """A text with masks, as the network reads it."""

    sequence: TokenSequence
    """Its tokens without a lone space right after a mask."""
    positions: IntArray
    """Index of each mask among the tokens of the text."""
    rows: IntArray
    """Index of each mask in `sequence`."""
    beyond: int
    """How many masks are in the part that is cut off."""


def fill_masks(predictor: Predictor, text: str, *, pair: str | None = None, top: int = 5) -> list[MaskFill]:
    """Return the most probable pieces for each [MASK] of a text.

    Each mask is filled independently: the probabilities of one do not depend on what is chosen for another.

    Args:
        predictor: a model with the masked-piece head: `albertkit.load(MODEL)`.
        text: holds [MASK] once or more.
        pair: a second text, which may hold [MASK], too.
        top: how many pieces, 1 or more; the whole vocabulary where it is smaller.

    Returns:
        One entry per mask, in the order of the tokens.

    Raises:
        UsageError: no masked-piece head, no [MASK], all masks behind the cut, or `top` below 1.
        TextError: a text that cannot be tokenised.
    """
    model = predictor.model
    _need_head(model, "mlm")
    if top < 1:
        raise UsageError(f"--top is {top}; it must be 1 or more")
    if not any(MASK in each for each in (text, pair or "")):
        raise UsageError(
            f'the text holds no {MASK}: write one where the model should fill in a piece, e.g. "a {MASK} of tea"'
        )
    masked = read_masks(model, text, pair)
    _warn_of_cut(model, masked.sequence)
    longest, found = model.config.max_position_embeddings, len(masked.positions)
    if not found:
        raise UsageError(f"every {MASK} comes after the {longest} tokens that the model takes; give a shorter text")
    if masked.beyond:
        warnings.warn(
            f"{masked.beyond} of {found + masked.beyond} {MASK} come after the {longest} tokens that the model takes",
            CutTextWarning,
            stacklevel=2,
        )
    return run_work(predictor.runtime, filling(model, [masked], top=top))[0]


def sentence_order(predictor: Predictor, first: str, second: str) -> float:
    """Return the probability in [0, 1] that `second` follows `first`, rather than the other way round.

    Args:
        predictor: a model with the sentence-order head: `albertkit.load(MODEL)`.
        first: the text that is shown first.
        second: the text that is shown second.

    Raises:
        UsageError: the model has no sentence-order head.
        TextError: a text that cannot be tokenised.
    """
    work = ordering(predictor.model, [first], [second])
    _warn_of_cut(predictor.model, work.sequences[0])
    return run_work(predictor.runtime, work)[0]


def read_masks(model: Model, text: str, pair: str | None = None) -> MaskedText:
    """Tokenise a text in which [MASK] is a mask.

    The tokenizer starts a new word after [MASK], as transformers' does, so "[MASK]." gets a space before its stop. No
    running text has it: the network would see a word's end where it never saw one. That space is left out.

    Raises:
        TextError: a text that cannot be tokenised.
    """
    longest = model.config.max_position_embeddings
    encoding = model.tokenizer.encode(text, pair, max_length=longest, allow_special=(MASK,))
    input_ids = np.array(encoding.input_ids)
    positions = np.flatnonzero(input_ids == model.tokenizer.mask_id)
    spaces = model.tokenizer.ids(["\u2581"])
    kept = np.flatnonzero(~(np.isin(input_ids, spaces) & (np.roll(input_ids, 1) == model.tokenizer.mask_id)))
    sequence = TokenSequence(input_ids[kept], np.array(encoding.token_type_ids)[kept], truncated=encoding.truncated)
    masks = sum(each.count(MASK) for each in (text, pair or ""))
    return MaskedText(sequence, positions, np.searchsorted(kept, positions), masks - len(positions))


def filling(model: Model, texts: Sequence[MaskedText], *, top: int) -> Work[list[list[MaskFill]]]:
    """Return the work of filling every mask of some texts.

    Args:
        model: with the masked-piece head.
        texts: see `read_masks`.
        top: how many pieces for each mask.
    """

    def finish(states: Sequence[FloatArray]) -> list[list[MaskFill]]:
        return [_fills(model, one.positions.tolist(), rows, top=top) for one, rows in zip(texts, states, strict=True)]

    return Work([one.sequence for one in texts], "sequence_output", finish, [one.rows for one in texts])


def ordering(model: Model, firsts: Sequence[str], seconds: Sequence[str]) -> Work[list[float]]:
    """Return the work of telling how probable it is that each second text follows its first.

    Args:
        model: with the sentence-order head.
        firsts: the texts that are shown first.
        seconds: as many, which are shown second.

    Raises:
        UsageError: the model has no sentence-order head.
        TextError: a text that cannot be tokenised.
    """
    _need_head(model, "sop")
    longest = model.config.max_position_embeddings

    def finish(rows: Sequence[FloatArray]) -> list[float]:
        return [float(_softmax(row.astype(np.float64))[0]) for row in rows]  # column 0: in order

    return Work(model.tokenizer.sequences(firsts, seconds, max_length=longest), "sop_logits", finish)


def _fills(model: Model, positions: Sequence[int], states: FloatArray, *, top: int) -> list[MaskFill]:
    """Return the pieces for the masks whose last hidden states are `[masks, hidden]`."""
    import torch

    network = model.network
    with torch.inference_mode():
        given = torch.from_numpy(states).to(network.encoder.embeddings.word.weight.device)
        logits = network.masked_piece_logits(given).double().cpu().numpy()  # masks, vocabulary
    # What ties keeps the order of the ids: the same candidates on every machine.
    best = np.argsort(-logits, axis=1, kind="stable")[:, :top]
    probabilities = np.take_along_axis(_softmax(logits), best, axis=1)
    return [
        MaskFill(position, tuple(map(Candidate, model.tokenizer.pieces(ids), row.tolist())))
        for position, ids, row in zip(positions, best, probabilities, strict=True)
    ]


def _need_head(model: Model, head: str) -> None:
    if head not in model.network.heads:
        has = ", ".join(sorted(model.network.heads)) or "none"
        raise UsageError(
            f"{model.source} holds no {_KINDS[head]} head (heads: {has}): give a model with the heads of pretraining, "
            "such as a run of albertkit pretrain or an AlbertForPreTraining folder"
        )


def _warn_of_cut(model: Model, sequence: TokenSequence) -> None:
    if sequence.truncated:
        warnings.warn(
            f"the text is {sequence.truncated} tokens longer than the {model.config.max_position_embeddings} "
            f"that {model.source} takes; its end was truncated",
            CutTextWarning,
            stacklevel=3,
        )


def _softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), dtype=np.float64)
