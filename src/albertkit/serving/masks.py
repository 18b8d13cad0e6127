"""Masks: the same as `albertkit fill`, as a job that shares its pass with others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.inference.pretraining_predictor import MASK, without_lost_spaces
from albertkit.models.loaded import Model
from albertkit.serving.abilities import Results, Work
from albertkit.serving.batching import FloatArray, Job
from albertkit.serving.refusals import Refusal

MOST = 64
"""Masks of a request: each has logits over the whole vocabulary."""


def fill(model: Model, texts: Sequence[str], *, top: int) -> Work:
    """Return the work of filling every [MASK] of the texts; see `albertkit.inference.pretraining_predictor.fill_masks`.

    Args:
        model: with the head of masked pieces.
        texts: each holds [MASK] once or more.
        top: candidates for each mask.

    Raises:
        Refusal: no mask in a text, none before its cut, or too many in all.
    """
    longest = model.network.config.max_position_embeddings
    sequences, places, at, lost = [], [], [], []
    for number, text in enumerate(texts):
        if MASK not in text:
            raise Refusal(
                422, f'text {number} holds no {MASK}; write one where a piece is to be found: "a {MASK} of tea"'
            )
        encoding = model.tokenizer.encode(text, max_length=longest, allow_special=(MASK,))
        input_ids = np.array(encoding.input_ids)
        positions = np.flatnonzero(input_ids == model.tokenizer.mask_id)
        if len(positions) < text.count(MASK):
            raise Refusal(
                422, f"text {number}: a {MASK} stands behind the {longest} tokens that the model takes; shorten it"
            )
        kept = without_lost_spaces(model, encoding)
        sequences.append(TokenSequence(input_ids[kept], np.array(encoding.token_type_ids)[kept]))
        places.append(positions)
        at.append(np.searchsorted(kept, positions))
        lost.append(encoding.truncated)
    masks = sum(map(len, places))
    if masks > MOST:
        raise Refusal(422, f"there are {masks} {MASK} and a request may hold {MOST}; send several requests")

    def keep(number: int, rows: FloatArray) -> FloatArray:
        return rows[at[number]]

    def finish(rows: Sequence[FloatArray]) -> Results:
        return [
            {"masks": _candidates(model, own.tolist(), states, top), "cut_tokens": cut}
            for own, states, cut in zip(places, rows, lost, strict=True)
        ]

    return Work(Job(sequences, "sequence_output", keep), finish)


def _candidates(model: Model, positions: Sequence[int], states: FloatArray, top: int) -> list[dict[str, Any]]:
    import torch

    with torch.inference_mode():
        device = model.network.encoder.embeddings.word.weight.device
        logits = model.network.masked_piece_logits(torch.from_numpy(states).to(device)).double().cpu().numpy()
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares = raised / raised.sum(axis=1, keepdims=True)
    best = np.argsort(-logits, axis=1, kind="stable")[:, :top]  # what ties keeps the order of the ids
    return [
        {
            "position": position,
            "candidates": [
                {"piece": piece, "probability": float(share[number])}
                for piece, number in zip(model.tokenizer.pieces(ids), ids, strict=True)
            ],
        }
        for position, ids, share in zip(positions, best, shares, strict=True)
    ]
