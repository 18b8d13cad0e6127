"""Packed in, packed out, whatever is padded between."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Batch, IntArray, Sequence
from albertkit.inference.padded import run_padded


def test_outputs_come_back_in_the_order_of_the_batch() -> None:
    random = np.random.default_rng(2)
    lengths = [3, 61, 5, 60, 17, 3, 41]
    batch = Batch.pack(Sequence(random.integers(5, 99, n), random.integers(0, 2, n)) for n in lengths)
    shapes = []

    def call(padded: Mapping[str, IntArray], outputs: Collection[str]) -> dict[str, npt.NDArray[np.float32]]:
        assert set(outputs) == {"tokens", "sums"}
        shapes.append(padded["input_ids"].shape)
        ids = (padded["input_ids"] * padded["attention_mask"] + 1000 * padded["token_type_ids"]).astype(np.float32)
        return {"tokens": ids[:, :, None], "sums": ids.sum(axis=1, keepdims=True)}

    found = run_padded(batch, call, outputs=("tokens", "sums"))
    expected = batch.input_ids + 1000 * batch.token_type_ids
    assert found["tokens"][:, 0].tolist() == expected.tolist()
    assert found["sums"][:, 0].tolist() == np.add.reduceat(expected, batch.starts).tolist()
    assert shapes == [(2, 61), (1, 41), (1, 17), (3, 5)]
