"""`albertkit encode`, against transformers on the same arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import CONFIG, tiny_folder

from albertkit.encoder.encoder import Encoder
from albertkit.models.loaded import Model
from albertkit.models.pretrained import load_model, save_model
from albertkit.tasks.network import Network, pretraining_heads

RANDOM = np.random.RandomState(5)
LENGTHS = [7, 1, 12, 3, 9]
MASK = (np.arange(12) < np.array(LENGTHS)[:, None]).astype(np.int64)
ARRAYS = {
    "input_ids": RANDOM.randint(5, 30000, MASK.shape) * MASK,
    "input_mask": MASK,
    "segment_ids": RANDOM.randint(0, 2, MASK.shape) * MASK,
}


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both heads of pretraining, without a tokenizer."""
    folder = tmp_path_factory.mktemp("pretrained") / "m"
    torch.manual_seed(0)
    network = Network(Encoder(CONFIG), pretraining_heads(CONFIG, ("mlm", "sop")))
    save_model(Model(network, load_model(tiny_folder()).tokenizer), folder)
    for name in ("spiece.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).unlink()
    return folder


def encode(albertkit: Runner, model: Path, folder: Path, *more: str) -> dict[str, np.ndarray]:
    np.savez(folder / "in.npz", **ARRAYS)
    paths = ("--input", folder / "in.npz", "--output", folder / "out.npz")
    outcome = albertkit("encode", model, *paths, "--threads", "1", *more, "--json")
    assert list(outcome.json) == ["sequences", "seconds"]
    assert outcome.json["sequences"] == len(LENGTHS)
    with np.load(folder / "out.npz") as archive:
        return dict(archive)


def test_the_arrays_are_transformers_own(albertkit: Runner, pretrained: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    found = encode(albertkit, pretrained, tmp_path)
    assert list(found) == ["sequence_output", "pooled_output", "mlm_logits", "sop_logits"]
    peer = transformers.AlbertForPreTraining.from_pretrained(pretrained).eval()
    names = {"input_ids": "input_ids", "input_mask": "attention_mask", "segment_ids": "token_type_ids"}
    with torch.inference_mode():
        given = {name: torch.from_numpy(ARRAYS[ours]) for ours, name in names.items()}
        states = peer.albert(**given)
        heads = peer(**given)
    kept = MASK.astype(bool)
    for name, expected in (("sequence_output", states.last_hidden_state), ("mlm_logits", heads.prediction_logits)):
        assert found[name].shape == expected.shape
        np.testing.assert_allclose(found[name][kept], expected.numpy()[kept], atol=1e-4)
        assert not found[name][~kept].any()
    np.testing.assert_allclose(found["pooled_output"], states.pooler_output.numpy(), atol=1e-5)
    np.testing.assert_allclose(found["sop_logits"], heads.sop_logits.numpy(), atol=1e-5)


def test_parts_give_what_the_whole_gives(
    albertkit: Runner, pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = encode(albertkit, pretrained, tmp_path)
    monkeypatch.setattr("albertkit.inference.running.BATCH_TOKENS", 10)
    for name, array in encode(albertkit, pretrained, tmp_path).items():
        np.testing.assert_allclose(array, whole[name], atol=1e-5)


def test_a_bare_encoder_gives_two_arrays(albertkit: Runner, tmp_path: Path) -> None:
    assert list(encode(albertkit, tiny_folder(), tmp_path)) == ["sequence_output", "pooled_output"]


def test_ids_outside_the_vocabulary_are_refused(albertkit: Runner, tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", **{**ARRAYS, "input_ids": np.full(MASK.shape, 30000)})
    paths = ("--input", tmp_path / "in.npz", "--output", tmp_path / "out.npz")
    outcome = albertkit("encode", tiny_folder(), *paths, *ONE_THREAD, "--json")
    assert outcome.status in (1, 2)
    assert "input_ids holds 30000, outside 0..29999" in outcome.err
    assert not (tmp_path / "out.npz").exists()
