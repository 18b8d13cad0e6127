"""Maps that begin at the least-squares fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests import tiny_teacher
from tests.tiny import CONFIG, tiny_folder
from tests.tiny_pretrained import pretrained_folder

from albertkit.errors import RunError
from albertkit.models.loaded import EmbeddingSpec
from albertkit.models.pretrained import load_model, save_model
from albertkit.training.distillation.distill import distill
from albertkit.training.distillation.maps import least_squares
from albertkit.training.distillation.settings import KEEPING_RATE, RATE

pytest.importorskip("transformers")


def test_the_fit_is_numpy_s() -> None:
    random = np.random.default_rng(1)
    own = random.normal(size=(50, 4)) + 3
    targets = random.normal(size=(50, 3))
    weight, bias = least_squares(torch.from_numpy(own), torch.from_numpy(targets))
    expected, *_ = np.linalg.lstsq(np.c_[own, np.ones(50)], targets, rcond=None)
    np.testing.assert_allclose(weight.T, expected[:-1], atol=2e-3)
    np.testing.assert_allclose(bias, expected[-1], atol=2e-2)


def test_vectors_that_never_differ_give_the_mean() -> None:
    weight, bias = least_squares(torch.ones(3, 2).double(), torch.arange(3).double()[:, None])
    assert (weight.tolist(), bias.tolist()) == ([[0.0, 0.0]], [1.0])


def test_a_checkpoint_begins_with_fitted_maps(tmp_path: Path) -> None:
    run = tmp_path / "run"
    distill(tiny_teacher.settings(run, config=None, model=str(pretrained_folder()), steps=1, learning_rate=1e-9))
    fitted = json.loads((run / "report.json").read_text())
    assert min(fitted["vector_cosine"], fitted["pooler_vector_cosine"]) > 0.5


def test_a_distilled_student_brings_its_map(tmp_path: Path) -> None:
    distill(tiny_teacher.settings(tmp_path / "first", steps=3))
    first = load_model(tmp_path / "first")
    assert first.embedding is not None
    assert first.embedding.dense is not None
    brought = replace(first.embedding.dense, weight=first.embedding.dense.weight * 3)  # as no fit would give it
    save_model(replace(first, embedding=EmbeddingSpec("mean", dense=brought)), tmp_path / "start")
    changes = {"config": None, "model": str(tmp_path / "start"), "steps": 1, "learning_rate": 1e-9}
    distill(tiny_teacher.settings(tmp_path / "again", **changes))
    kept = load_model(tmp_path / "again").embedding
    assert kept is not None
    assert kept.dense is not None
    np.testing.assert_allclose(kept.dense.weight, brought.weight, atol=1e-6)
    # A rate that was not given is a low one: the start already holds the teacher's vectors.
    distill(tiny_teacher.settings(tmp_path / "fresh", steps=1, learning_rate=None))
    distill(tiny_teacher.settings(tmp_path / "gentle", **{**changes, "learning_rate": None}))
    rates = [json.loads((tmp_path / run / "config.json").read_text())["learning_rate"] for run in ("fresh", "gentle")]
    assert rates == [RATE, KEEPING_RATE]
    # Into a space of other dimensions the map is fitted.
    other = {**changes, "teacher": str(tiny_folder())}
    distill(tiny_teacher.settings(tmp_path / "other", **other))
    fitted = load_model(tmp_path / "other").embedding
    assert fitted is not None
    assert fitted.dense is not None
    assert fitted.dense.out_features == CONFIG.hidden_size
    # The map is one of the weights that a continued run has to begin with.
    save_model(first, tmp_path / "start")
    with pytest.raises(RunError, match="weights of the starting model"):
        distill(tiny_teacher.settings(tmp_path / "again", **changes), resume=True)
