"""What a pretraining reads, as one public function shows it."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from tests import tiny_corpus

import albertkit
from albertkit.errors import DataError
from albertkit.training.pretraining.inputs import open_inputs


def test_batches_are_those_of_the_run_and_depend_only_on_the_settings(tmp_path: Path) -> None:
    settings = tiny_corpus.settings(tmp_path)
    inputs = open_inputs(settings)
    expected = [pending.build() for pending, _ in islice(inputs.stream.batches(), 3)]
    for batches in (list(islice(albertkit.pretraining_batches(settings), 3)) for _ in range(2)):
        for one, other in zip(batches, expected, strict=True):
            np.testing.assert_array_equal(one.batch.input_ids, other.batch.input_ids)
            np.testing.assert_array_equal(one.masked_positions, other.masked_positions)
            np.testing.assert_array_equal(one.masked_ids, other.masked_ids)
    others = next(albertkit.pretraining_batches(replace(settings, seed=settings.seed + 1)))
    assert others.batch.input_ids.tolist() != expected[0].batch.input_ids.tolist()


def test_masks_follow_the_settings(tmp_path: Path) -> None:
    settings = replace(tiny_corpus.settings(tmp_path), mlm_probability=0.3, max_ngram=2)
    batches = list(islice(albertkit.pretraining_batches(settings), 20))
    tokens = sum(len(one.batch.input_ids) for one in batches)
    assert sum(len(one.masked_ids) for one in batches) / tokens == pytest.approx(0.3, abs=0.05)
    assert {words for one in batches if one.ngrams is not None for words in one.ngrams.tolist()} == {1, 2}


def test_a_folder_without_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no manifest\.json"):
        next(albertkit.pretraining_batches(replace(tiny_corpus.settings(tmp_path), data=str(tmp_path))))
