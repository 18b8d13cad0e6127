"""KerasHub presets: what KerasHub saves we read, and what we write it loads."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tiny import assert_same_state

from albertkit.checkpoints import Checkpoint, read_checkpoint
from albertkit.checkpoints.kerashub.keras_hdf5 import list_hdf5, write_hdf5
from albertkit.encoder.encoder import Encoder

pytest.importorskip("h5py", reason="KerasHub's presets need h5py")

from tests.checkpoints.kerashub.presets import IDS, TWO_BY_TWO, change_json, refusal, tiny, written

# ---- what KerasHub saved ----


@pytest.mark.usefixtures("child")
def test_the_outputs_of_kerashub(shared: Path) -> None:
    preset = shared / "fixtures" / "keras_preset"
    expected = np.load(preset / "expected.npz")
    checkpoint = read_checkpoint(preset)
    assert (checkpoint.source_format, checkpoint.unexpected, checkpoint.heads) == ("keras", (), ())
    assert (checkpoint.config.num_hidden_groups, checkpoint.config.inner_group_num) == (2, 2)
    assert checkpoint.config.hidden_act == "gelu_new"
    assert checkpoint.tokenizer_mode == "google"
    sequence, pooled = encoded(checkpoint, expected["input_ids"], expected["input_mask"], expected["segment_ids"])
    seen = expected["input_mask"].astype(bool)
    assert np.abs(sequence - expected["sequence_output"])[seen].max() < 2e-5
    assert np.abs(pooled - expected["pooled_output"]).max() < 2e-5


def test_a_preset_of_kerashub_written_again_has_the_same_content(shared: Path, tmp_path: Path) -> None:
    preset = shared / "fixtures" / "keras_preset"
    written(read_checkpoint(preset), tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["config"].keys() == (
        json.loads((preset / "config.json").read_text())["config"].keys()
    )
    theirs, ours = (list_hdf5(folder / "model.weights.h5") for folder in (preset, tmp_path))
    assert theirs[0].keys() == ours[0].keys()
    for path, dataset in theirs[0].items():
        assert torch.equal(dataset.load(), ours[0][path].load()), path
    assert ours[1].items() <= theirs[1].items()


def encoded(checkpoint: Checkpoint, ids: Any, mask: Any, segments: Any) -> tuple[Any, Any]:
    encoder = Encoder(checkpoint.config).eval()
    encoder.load_state_dict({name: tensor for name, tensor in checkpoint.state.items() if name[:6] != "heads."})
    with torch.no_grad():
        output = encoder(
            input_ids=torch.as_tensor(ids).long(),
            attention_mask=torch.as_tensor(mask).long(),
            token_type_ids=torch.as_tensor(segments).long(),
        )
    return output.sequence_output.numpy(), output.pooled_output.numpy()


# ---- there and back ----


@pytest.mark.parametrize(
    "heads, values",
    [
        ((), {}),
        ((), TWO_BY_TWO),
        (("classifier",), {}),
        (("mlm",), TWO_BY_TWO),
        (("mlm", "sop"), {}),
        (("classifier", "mlm", "sop", "span", "answer", "choice", "tags"), {}),
        ((), {"embedding_size": 14}),
        ((), {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.2, "initializer_range": 0.014}),
    ],
)
def test_ours_to_kerashub_to_ours(tmp_path: Path, heads: tuple[str, ...], values: dict[str, Any]) -> None:
    checkpoint = tiny(*heads, **values)
    again = read_checkpoint(written(checkpoint, tmp_path))
    assert again.config == checkpoint.config
    assert_same_state(dict(checkpoint.state), dict(again.state))
    assert again.unexpected == ()
    task = "classifier" if "classifier" in heads else "mlm" if "mlm" in heads else None
    assert (tmp_path / "task.json").exists() == (task is not None)
    assert (tmp_path / "head.safetensors").exists() == (set(heads) not in (set(), {task}))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_precisions(tmp_path: Path, dtype: torch.dtype) -> None:
    checkpoint = tiny("classifier", dtype=dtype, **TWO_BY_TWO)
    assert_same_state(dict(checkpoint.state), dict(read_checkpoint(written(checkpoint, tmp_path)).state))
    policy = json.loads((tmp_path / "config.json").read_text())["config"]["dtype"]["config"]["name"]
    assert policy == str(dtype).removeprefix("torch.")


def test_the_order_of_a_state_does_not_matter(tmp_path: Path) -> None:
    checkpoint = tiny(**TWO_BY_TWO)
    turned = replace(checkpoint, state=dict(reversed(checkpoint.state.items())))
    assert_same_state(dict(checkpoint.state), dict(read_checkpoint(written(turned, tmp_path)).state))


def test_labels_tokenizer_and_its_mode(tmp_path: Path) -> None:
    vocabulary = tmp_path / "some.model"
    vocabulary.write_bytes(b"pieces")
    checkpoint = replace(
        tiny("classifier"),
        labels=("red", "green", "blue"),
        problem_type="single_label_classification",
        tokenizer_files={"spiece.model": vocabulary},
        tokenizer_mode="google",
    )
    again = read_checkpoint(written(checkpoint, tmp_path / "preset"))
    assert (again.labels, again.problem_type) == (checkpoint.labels, checkpoint.problem_type)
    assert again.tokenizer_mode == "google"
    assert again.tokenizer_files["spiece.model"].read_bytes() == b"pieces"
    assert (tmp_path / "preset" / "preprocessor.json").exists()
    # The same preset as KerasHub would have saved it: trained on the ids of its own tokenizer.
    change_json(tmp_path / "preset" / "metadata.json", lambda values: values.pop("albertkit"))
    theirs = read_checkpoint(tmp_path / "preset")
    assert theirs.tokenizer_mode == "keras"
    assert "does not lowercase" in theirs.notes[-1]
    # Another model in the same folder leaves nothing of this one.
    assert read_checkpoint(written(tiny(), tmp_path / "preset")).heads == ()


def test_shards(tmp_path: Path) -> None:
    checkpoint = tiny(**TWO_BY_TWO)
    whole = tmp_path / "model.weights.h5"
    datasets, names = list_hdf5(written(checkpoint, tmp_path) / whole.name)
    weight_map: dict[str, Any] = {}
    for number in range(3):
        mine = {path: entry.load() for place, (path, entry) in enumerate(datasets.items()) if place % 3 == number}
        file = tmp_path / f"model_{number:05}.weights.h5"
        write_hdf5(file, mine, names)
        for path in mine:
            group = "/" + path.rpartition("/")[0]
            weight_map.setdefault(group, []).append(file.name)
    whole.unlink()
    index = tmp_path / "model.weights.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    assert_same_state(dict(checkpoint.state), dict(read_checkpoint(tmp_path).state))
    for bad in ("../model.weights.h5", "/etc/passwd", ["a/b"], 7, {}):
        index.write_text(json.dumps({"weight_map": {"/vars": bad}}))
        assert str(index) in refusal(tmp_path)


def test_files_without_layer_names_and_with_the_names_of_older_versions(tmp_path: Path) -> None:
    checkpoint = tiny("classifier", **TWO_BY_TWO)
    written(checkpoint, tmp_path)
    for file in (tmp_path / "model.weights.h5", tmp_path / "task.weights.h5"):
        older = {}
        for path, entry in list_hdf5(file)[0].items():
            path = path.replace("layers/", "_layer_checkpoint_dependencies/", 1).replace("_layer_norm", "_layernorm")
            older[path.replace("query_dense", "_query_dense").replace("value_dense", "_value_dense")] = entry.load()
        write_hdf5(file, older, {})
    assert_same_state(dict(checkpoint.state), dict(read_checkpoint(tmp_path).state))


def test_the_state_of_training_is_passed_over_by_name(tmp_path: Path) -> None:
    path = written(tiny(), tmp_path) / "model.weights.h5"
    datasets, names = list_hdf5(path)
    tensors = {name: entry.load() for name, entry in datasets.items()}
    tensors["optimizer/vars/0"] = torch.tensor(7)
    tensors["layers/dropout/seed_generator/vars/0"] = torch.tensor([1, 2], dtype=torch.uint32)
    write_hdf5(path, tensors, names)
    assert sorted(read_checkpoint(tmp_path).unexpected) == ["layers/dropout/seed_generator/vars/0", "optimizer/vars/0"]


# ---- what cannot be ----


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, heads, values",
    [
        ("AlbertBackbone", (), {}),
        ("AlbertBackbone", ("mlm", "sop"), TWO_BY_TWO),
        ("AlbertBackbone", (), {"embedding_size": 14}),
        ("AlbertTextClassifier", ("classifier", "mlm"), {}),
        ("AlbertMaskedLM", ("mlm", "sop"), {}),
    ],
)
def test_kerashub_loads_what_we_write(
    tmp_path: Path, name: str, heads: tuple[str, ...], values: dict[str, Any]
) -> None:
    python = os.environ.get("ALBERTKIT_KERAS_PYTHON")
    if not python:
        pytest.skip("ALBERTKIT_KERAS_PYTHON names no interpreter that has keras-hub")
    checkpoint = tiny(*heads, **values)
    preset = written(checkpoint, tmp_path / "ours")
    arrays = {
        "input_ids": IDS,
        "input_mask": (IDS != 0).astype(int),
        "segment_ids": np.array([[0, 0, 0, 1, 1], [0] * 5]),
    }
    np.savez(tmp_path / "in.npz", **arrays)
    program = Path(__file__).with_name("keras_loads.py")
    backend = os.environ.get("KERAS_BACKEND", "torch")
    subprocess.run(
        [python, program, name, preset, tmp_path / "in.npz", tmp_path / "out.npz", tmp_path / "theirs"],
        check=True,
        env={**os.environ, "KERAS_BACKEND": backend},
    )
    theirs = np.load(tmp_path / "out.npz")
    sequence, pooled = encoded(checkpoint, *arrays.values())
    seen = arrays["input_mask"].astype(bool)
    state = checkpoint.state
    if name == "AlbertBackbone":
        assert np.abs(sequence - theirs["sequence_output"])[seen].max() < 2e-5
        assert np.abs(pooled - theirs["pooled_output"]).max() < 2e-5
    elif name == "AlbertTextClassifier":
        logits = torch.from_numpy(pooled) @ state["heads.classifier.weight"].T + state["heads.classifier.bias"]
        assert np.abs(logits.numpy() - theirs["logits"]).max() < 2e-5
    else:
        dense = torch.from_numpy(sequence) @ state["heads.mlm.dense.weight"].T + state["heads.mlm.dense.bias"]
        dense = torch.nn.functional.gelu(dense, approximate="tanh")
        # KerasHub's MaskedLMHead has an eps of its own.
        norm = (state["heads.mlm.norm.weight"], state["heads.mlm.norm.bias"])
        dense = torch.nn.functional.layer_norm(dense, dense.shape[-1:], *norm, eps=1e-5)
        logits = dense @ state["embeddings.word.weight"].T + state["heads.mlm.bias"]
        assert np.abs(logits.numpy() - theirs["logits"])[seen].max() < 2e-5
    again = read_checkpoint(tmp_path / "theirs")
    assert all(torch.equal(tensor, state[each]) for each, tensor in again.state.items())
