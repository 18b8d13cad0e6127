"""Foreign checkpoints with what their own software computed: converted, run by us, and run by transformers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.checkpoints.recorded import recorded_model
from tests.cli.running import ONE_THREAD, Runner

NAMES = {
    "tf1_mlm_sop": "tf1",
    "tf1_two_groups_two_inner_relu": "tf1",
    "tf1_no_projection": "tf1",
    "hub1_module": "hub1",
    "tfhub2_with_mlm": "tfhub2",
    "tfhub2_encoder": "tfhub2",
    "keras_preset": "keras",
    "transformers_tiny": "huggingface",
    "tf1_mlm_sop.tfbson": "bson",
}
TOLERANCE = 2e-5


@pytest.fixture
def albertkit(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(capfd, monkeypatch)


def expected(source: Path) -> dict[str, Any]:
    folder = source.with_suffix("")  # of the .tfbson, the folder of the same weights
    with np.load(folder / "expected.npz") as arrays:
        return {key: arrays[key] for key in arrays.files}


def same(found: Any, wanted: Any, what: str) -> None:
    assert found.shape == wanted.shape, what
    difference = float(np.abs(found - wanted).max())
    assert difference < TOLERANCE, f"{what}: {difference:g}"


def compare(found: dict[str, Any], wanted: dict[str, Any]) -> int:
    """Compare what both have; padded positions hold nothing of meaning."""
    mask = wanted["input_mask"].astype(bool)
    compared = 0
    for name in ("sequence_output", "mlm_logits"):
        if name in wanted:
            own, theirs = found[name], wanted[name]
            if theirs.shape[1] != mask.shape[1]:  # only at the masked positions
                rows = np.arange(len(own))[:, None]
                same(own[rows, wanted["masked_lm_positions"]], theirs, name)
            else:
                same(own[mask], theirs[mask], name)
            compared += 1
    for name in ("pooled_output", "sop_logits"):
        if name in wanted:
            same(found[name], wanted[name], name)
            compared += 1
    return compared


@pytest.mark.parametrize("name", NAMES)
def test_converted_and_encoded(name: str, tmp_path: Path, albertkit: Runner) -> None:
    source = recorded_model(name, tmp_path)
    wanted = expected(source)
    outcome = albertkit("convert", source, tmp_path / "hf", "--to", "huggingface", "--json")
    assert outcome.status == 0, outcome.err
    assert outcome.json["source_format"] == NAMES[name]
    assert (outcome.json["missing"], outcome.json["unexpected"]) == ([], [])
    inputs = tmp_path / "in.npz"
    np.savez(inputs, **{key: wanted[key] for key in ("input_ids", "input_mask", "segment_ids")})
    for model in (tmp_path / "hf", source):  # the converted folder, and the source as it is
        outcome = albertkit("encode", model, "--input", inputs, "--output", tmp_path / "out.npz", *ONE_THREAD)
        assert outcome.status == 0, outcome.err
        with np.load(tmp_path / "out.npz") as arrays:
            assert compare(dict(arrays), wanted) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_transformers_agrees(name: str, tmp_path: Path, albertkit: Runner) -> None:
    source = recorded_model(name, tmp_path)
    wanted = expected(source)
    assert albertkit("convert", source, tmp_path / "hf", "--json").status == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peer's own deprecations are not ours to repair
        peer = pytest.importorskip("transformers")
        peer.logging.set_verbosity_error()
        peer.logging.disable_progress_bar()
        config = peer.AutoConfig.from_pretrained(tmp_path / "hf")
        model, said = getattr(peer, config.architectures[0]).from_pretrained(
            tmp_path / "hf", output_loading_info=True, attn_implementation="eager"
        )
        bare = peer.AlbertModel.from_pretrained(tmp_path / "hf", attn_implementation="eager").eval()
        model = model.eval()
    assert not said["missing_keys"]
    assert not said["mismatched_keys"]
    assert {key for key in said["unexpected_keys"] if "pooler" not in key} == set()  # AlbertForMaskedLM has none
    inputs = {
        "input_ids": torch.from_numpy(wanted["input_ids"].astype(np.int64)),
        "attention_mask": torch.from_numpy(wanted["input_mask"].astype(np.int64)),
        "token_type_ids": torch.from_numpy(wanted["segment_ids"].astype(np.int64)),
    }
    with torch.inference_mode():
        states = bare(**inputs)
        found = {"sequence_output": states.last_hidden_state, "pooled_output": states.pooler_output}
        if hasattr(model, "predictions"):
            found["mlm_logits"] = model.predictions(states.last_hidden_state)
        if hasattr(model, "sop_classifier"):
            found["sop_logits"] = model.sop_classifier(states.pooler_output)
    known = {
        key: array for key, array in wanted.items() if key in found or key in ("input_mask", "masked_lm_positions")
    }
    assert compare({key: tensor.numpy() for key, tensor in found.items()}, known) >= 2
