"""Frozen features: one pass, then from the cache; a key that changes with everything that matters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.tiny import execution, tiny_folder

from albertkit.inference.predictor import Predictor
from albertkit.models.pretrained import load_model
from albertkit.tasks.encoded import Encoded
from albertkit.training.loop import TextInputs
from albertkit.training.probe import cached_features, feature_key

TEXTS = ["a fine film", "two hours", "an extraordinarily long sentence about very little at all"]


@pytest.fixture
def predictor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Predictor]:
    monkeypatch.setenv("ALBERTKIT_CACHE", str(tmp_path))
    return Predictor(load_model(tiny_folder()), execution=execution())


def test_the_second_time_is_from_the_cache_and_equal(predictor: Predictor, tmp_path: Path) -> None:
    sequences = predictor.model.tokenizer.sequences(TEXTS)
    first, cached = cached_features(predictor, sequences)
    assert not cached
    second, cached = cached_features(predictor, sequences)
    assert cached
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, predictor.embed(TEXTS, pooling="pooler"), atol=1e-6)
    assert len(list((tmp_path / "features").iterdir())) == 1


@pytest.mark.parametrize("pooling", ["pooler", "cls", "mean"])
def test_features_are_those_that_training_and_prediction_compute(predictor: Predictor, pooling: str) -> None:
    sequences = predictor.model.tokenizer.sequences(TEXTS)
    features, _ = cached_features(predictor, sequences, pooling=pooling)
    network = predictor.model.network.eval()
    inputs = TextInputs(network, Encoded.one_each(sequences), execution=predictor.execution, pooling=pooling)
    np.testing.assert_allclose(inputs.states(np.arange(len(TEXTS))).detach().numpy(), features, atol=1e-6)
    np.testing.assert_array_equal(features, predictor.embed(TEXTS, pooling=pooling))


def test_a_corrupt_cache_is_made_anew(predictor: Predictor, tmp_path: Path) -> None:
    sequences = predictor.model.tokenizer.sequences(TEXTS)
    first, _ = cached_features(predictor, sequences)
    (file,) = (tmp_path / "features").iterdir()
    for content in (b"", file.read_bytes()[:-5], b"\x93NUMPY nonsense"):
        file.write_bytes(content)
        again, cached = cached_features(predictor, sequences)
        assert not cached
        np.testing.assert_array_equal(first, again)


def test_the_key_follows_weights_tokens_pooling_and_precision(predictor: Predictor) -> None:
    sequences = predictor.model.tokenizer.sequences(TEXTS)
    keys = [feature_key(predictor, sequences, pooling="pooler")] * 2
    assert len(set(keys)) == 1
    keys.append(feature_key(predictor, sequences, pooling="mean"))
    keys.append(feature_key(predictor, sequences[::-1], pooling="pooler"))
    keys.append(feature_key(predictor, predictor.model.tokenizer.sequences(TEXTS, max_length=5), pooling="pooler"))
    predictor.execution = replace(predictor.execution, precision="bf16")
    keys.append(feature_key(predictor, sequences, pooling="pooler"))
    predictor.execution = execution()
    with torch.no_grad():
        predictor.model.network.encoder.pooler.bias[3] += 1e-3
    keys.append(feature_key(predictor, sequences, pooling="pooler"))
    assert len(set(keys)) == 6
