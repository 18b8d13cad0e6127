"""Pickles of bytes, and folders that every command reads."""

from __future__ import annotations

import json
import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load as load_tensors
from tests.cli.running import Runner
from tests.estimators.small import classifier, regressor, rows
from tests.tiny import keyword_folder, settings, tiny_folder, write_csv

import albertkit
from albertkit.errors import CheckpointError, UsageError
from albertkit.estimators import AlbertClassifier, AlbertRegressor
from albertkit.estimators.saving import folder_facts, model_bytes, model_from_bytes

# Most fits here are too short to learn anything, and say so.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TEXTS, LABELS = rows(48)
FIT = {"epochs": 1, "validation_fraction": 0}


@pytest.fixture(scope="module")
def trained() -> AlbertClassifier:
    """Fitted on whole numbers."""
    return classifier(**FIT).fit(TEXTS, [int(label == "good") + 1 for label in LABELS])


def test_pickles_hold_no_tensors_of_torch(trained: AlbertClassifier) -> None:
    content = pickle.dumps(trained)
    strings = {str(argument) for _, argument, _ in pickletools.genops(content) if isinstance(argument, str)}
    assert not any("torch" in string for string in strings), strings
    assert {"model.safetensors", "config.json", "spiece.model", "task.json"} <= strings
    again = pickle.loads(content)
    np.testing.assert_array_equal(again.predict_proba(TEXTS), trained.predict_proba(TEXTS))
    assert again.get_params() == trained.get_params()
    assert again.history_ == trained.history_
    assert again.predictor_.model.source == str(keyword_folder())
    assert pickle.loads(pickle.dumps(again)).predict(TEXTS).tolist() == trained.predict(TEXTS).tolist()


def test_pickles_of_unfitted_are_small() -> None:
    assert len(pickle.dumps(classifier())) < 1000
    assert pickle.loads(pickle.dumps(regressor())).get_params() == regressor().get_params()


def test_bytes_are_those_of_a_folder(trained: AlbertClassifier) -> None:
    files = model_bytes(trained.predictor_.model)
    assert json.loads(files["task.json"])["task"] == "classification"
    tensors = load_tensors(files["model.safetensors"])
    word = trained.predictor_.model.network.encoder.embeddings.word.weight.detach().numpy()
    assert any(tensor.shape == word.shape and (tensor == word).all() for tensor in tensors.values())
    assert model_from_bytes(files, source="here").source == "here"
    files["model.safetensors"] = files["model.safetensors"][:100]
    with pytest.raises(CheckpointError):
        model_from_bytes(files, source="here")


def test_folder_is_a_model(
    trained: AlbertClassifier, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "saved"
    trained.save(folder)
    found = Runner(capfd, monkeypatch)("predict", folder, TEXTS[0], "--json", "--device", "cpu").json
    row = found[0] if isinstance(found, list) else found
    assert list(row["probabilities"]) == ["1", "2"]
    np.testing.assert_allclose(list(row["probabilities"].values()), trained.predict_proba(TEXTS[:1])[0], atol=1e-3)
    again = AlbertClassifier.load(folder)
    np.testing.assert_array_equal(again.predict_proba(TEXTS), trained.predict_proba(TEXTS))
    assert again.predict(TEXTS).dtype == trained.predict(TEXTS).dtype
    assert again.n_features_in_ == 1
    again.save(tmp_path / "again")
    assert AlbertClassifier.load(tmp_path / "again").classes_.tolist() == [1, 2]
    with pytest.raises(UsageError, match="saved already exists; name a new folder"):
        trained.save(folder)


def test_runs_of_the_command_load(tmp_path: Path) -> None:
    albertkit.finetune(
        settings(write_csv(tmp_path / "rows.csv", list(zip(TEXTS, LABELS, strict=True))), tmp_path / "run")
    )
    loaded = AlbertClassifier.load(tmp_path / "run")
    assert loaded.classes_.tolist() == ["bad", "good"]
    told = [row["label"] for row in albertkit.load(tmp_path / "run").predict(TEXTS)]
    assert loaded.predict(TEXTS).tolist() == told
    assert not hasattr(loaded, "n_features_in_")
    assert loaded.set_params(epochs=1).fit(TEXTS, LABELS).classes_.tolist() == ["bad", "good"]


def test_other_tasks_do_not_load(trained: AlbertClassifier, tmp_path: Path) -> None:
    trained.save(tmp_path / "classes")
    with pytest.raises(UsageError, match="has a head for classification, but AlbertRegressor is for regression"):
        AlbertRegressor.load(tmp_path / "classes")
    with pytest.raises(UsageError, match="has no task head, but AlbertClassifier is for classification"):
        AlbertClassifier.load(tiny_folder())


def test_numbers_are_saved_at_their_size(tmp_path: Path) -> None:
    fitted = regressor(**FIT).fit(TEXTS, np.arange(48) * 1000)
    fitted.save(tmp_path / "numbers")
    np.testing.assert_array_equal(AlbertRegressor.load(tmp_path / "numbers").predict(TEXTS), fitted.predict(TEXTS))
    assert albertkit.load(tmp_path / "numbers").predict(TEXTS[0])[0]["value"] > 1000


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "",
        "a/b",
        "2_Dense/..",
        "2_Dense/a/b",
        "2_Dense",
        "/2_Dense",
        "..\\x",
        "/etc/passwd",
        "a\0b",
        "\ud800",
        7,
    ],
)
def test_a_state_with_another_name_than_a_files(name: object) -> None:
    with pytest.raises(CheckpointError, match=r"names the file .* not a plain name"):
        model_from_bytes({name: b"1"}, source="pickle")  # type: ignore[dict-item]
    with pytest.raises(CheckpointError, match=r"holds no bytes under config.json"):
        model_from_bytes({"config.json": "{}"}, source="pickle")  # type: ignore[dict-item]


def test_a_damaged_task_file_is_one_sentence(tmp_path: Path) -> None:
    for content in (b"{", b"\xff{}", b"[" * 100_000):
        (tmp_path / "task.json").write_bytes(content)
        with pytest.raises(CheckpointError, match=r"task.json: cannot be read as JSON"):
            folder_facts(tmp_path)
