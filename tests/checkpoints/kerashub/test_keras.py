"""KerasHub presets: what KerasHub saves we read, and what we write it loads."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from albertkit.checkpoints import Checkpoint, ReadOptions, read_checkpoint
from albertkit.checkpoints.kerashub import keras_hdf5
from albertkit.checkpoints.kerashub.keras import KERAS
from albertkit.checkpoints.kerashub.keras_hdf5 import list_hdf5, write_hdf5
from albertkit.checkpoints.state import encoder_shapes, head_shapes
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError, ConfigError, MissingExtraError
from albertkit.model.encoder import Encoder

pytest.importorskip("h5py", reason="KerasHub's presets need h5py")

CONFIG = AlbertConfig(
    vocab_size=31,
    embedding_size=5,
    hidden_size=14,
    num_hidden_layers=6,
    num_attention_heads=2,
    intermediate_size=11,
    max_position_embeddings=13,
    classifier_dropout_prob=0.07,
)
TWO_BY_TWO = {"num_hidden_groups": 2, "inner_group_num": 2}
IDS = np.array([[2, 7, 19, 30, 3], [2, 23, 3, 0, 0]])


@pytest.fixture
def child() -> None:
    """Let HDF5 work in a process of its own, as it does outside these tests."""


@pytest.fixture(autouse=True)
def _hdf5_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the tests of healthy files the start of a process for each of them."""
    if "child" not in request.fixturenames:
        from albertkit.checkpoints.kerashub.keras_hdf5_child import listed

        monkeypatch.setattr(keras_hdf5, "_ask", lambda path: listed(str(path)))


def tiny(*heads: str, dtype: torch.dtype = torch.float32, **values: Any) -> Checkpoint:
    """A checkpoint of ours; every tensor is random."""
    config = replace(CONFIG, **values)
    shapes = encoder_shapes(config)
    for head in heads:
        shapes |= head_shapes(config, head, 3)
    generator = torch.Generator().manual_seed(23)
    state = {name: torch.randn(shape, generator=generator).mul(0.3).to(dtype) for name, shape in shapes.items()}
    return Checkpoint(config, state, source_format="made", source="made here")


def written(checkpoint: Checkpoint, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    KERAS.write(checkpoint, folder)
    return folder


def assert_same_state(one: Any, other: Any) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype, name
        assert torch.equal(tensor, other[name]), name


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(folder)
    return str(caught.value)


def change_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


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


@pytest.mark.parametrize(
    "checkpoint, expected",
    [
        (tiny(hidden_act="relu"), "made here: hidden_act is relu, and KerasHub's ALBERT always has gelu_new"),
        (tiny(hidden_act="gelu"), "made here: hidden_act is gelu, "),
        (tiny(layer_norm_eps=1e-5), "made here: layer_norm_eps is 1e-05, "),
        (tiny(num_hidden_groups=4), "num_hidden_layers 6 is no multiple of num_hidden_groups 4"),
        (
            replace(tiny(), state={k: v for k, v in tiny().state.items() if not k.startswith("pooler")}),
            "made here: has no pooler",
        ),
        (replace(tiny(), config=replace(CONFIG, hidden_size=16)), "made here: 19 tensors do not fit"),
    ],
)
def test_what_kerashub_cannot_be(tmp_path: Path, checkpoint: Checkpoint, expected: str) -> None:
    with pytest.raises(CheckpointError, match=expected):
        KERAS.write(checkpoint, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"class_name": "BertBackbone"}, "describes BertBackbone, and albertkit reads KerasHub's AlbertBackbone alone"),
        ({"config": 7}, "describes AlbertBackbone"),
        ({"num_groups": 4}, "num_groups 4 does not divide num_layers 6"),
        ({"num_heads": 7}, "has 2 attention heads in layers/transformer_encoder"),
        ({"num_layers": 10**12}, "num_layers is 1000000000000, as no model has"),
        ({"num_layers": 90_000, "num_groups": 90_000}, "too few for the 90000 layers"),
        (
            {"vocabulary_size": 10**12},
            "embeddings.word.weight (layers/reversible_embedding/vars/0 in the file) [31, 5]",
        ),
        ({"num_inner_repetitions": 2}, "missing (16)"),
    ],
)
def test_a_config_that_does_not_fit(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    def apply(values: dict[str, Any]) -> None:
        for key, value in change.items():
            (values if key in values else values["config"])[key] = value

    change_json(written(tiny(), tmp_path) / "config.json", apply)
    assert expected in refusal(tmp_path)


def test_values_that_cannot_be(tmp_path: Path) -> None:
    config = written(tiny("classifier"), tmp_path) / "config.json"
    change_json(tmp_path / "task.json", lambda values: values["config"].update(num_classes=4))
    assert "heads.classifier.weight (task.weights.h5:layers/dense/vars/0 in the file) [3, 14], expected [4, 14]" in (
        refusal(tmp_path)
    )
    change_json(tmp_path / "metadata.json", lambda values: values.update(albertkit={"labels": 7}))
    assert '"albertkit" does not hold what albertkit writes there' in refusal(tmp_path)
    change_json(config, lambda values: values["config"].update(hidden_dim="14"))
    (tmp_path / "metadata.json").unlink()
    with pytest.raises(ConfigError, match=r"config\.json: .*hidden_size is '14'"):
        read_checkpoint(tmp_path)
    change_json(config, lambda values: values["config"].pop("hidden_dim"))
    assert "does not say hidden_dim; save the preset again" in refusal(tmp_path)


def test_a_task_without_weights_and_an_unknown_task(tmp_path: Path) -> None:
    written(tiny("classifier"), tmp_path)
    (tmp_path / "task.weights.h5").unlink()
    assert f"{tmp_path / 'task.weights.h5'}: cannot be opened" in refusal(tmp_path)
    change_json(tmp_path / "task.json", lambda values: values.update(class_name="MyTask"))
    assert "task.json describes MyTask" in read_checkpoint(tmp_path).notes[0]


def test_options(tmp_path: Path) -> None:
    written(tiny(), tmp_path)
    checkpoint = KERAS.read(tmp_path, ReadOptions(activation="relu"))
    assert checkpoint.config.hidden_act == "relu"
    assert "the activation is relu, as asked for" in checkpoint.notes[0]
    with pytest.raises(CheckpointError, match=r"has 2 attention heads in .* leave out --num-heads"):
        KERAS.read(tmp_path, ReadOptions(num_heads=7))


def test_without_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tiny(), tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    for call in (lambda: read_checkpoint(tmp_path), lambda: KERAS.write(tiny(), tmp_path)):
        with pytest.raises(MissingExtraError, match=r"needs h5py, .*pip install 'albertkit\[keras\]'"):
            call()


# ---- files that are no files of Keras ----


def build(kind: str, path: Path) -> None:
    import h5py

    secret = path.with_name("secret.bin")
    secret.write_bytes(bytes(1000))
    with h5py.File(path, "r+") as file:
        del file["layers/dense/vars/0"]
        group = file["layers/dense/vars"]
        if kind == "external link":
            group["0"] = h5py.ExternalLink("secret.h5", "/x")
        elif kind == "soft link":
            group["0"] = h5py.SoftLink("/layers/dense_1/vars/0")
        elif kind == "second name":
            group["0"] = file["layers/dense_1/vars/0"]
        elif kind == "cycle":
            group["0"] = file["layers"]
        elif kind == "external file":
            group.create_dataset("0", (5, 14), "f4", external=[(secret.name, 0, 280)])
        elif kind == "chunked":
            group.create_dataset("0", (1 << 20, 1 << 20), "f4", chunks=(64, 64), compression="gzip")
        elif kind == "virtual":
            layout = h5py.VirtualLayout((5, 14), "f4")
            layout[:] = h5py.VirtualSource("secret.h5", "x", (5, 14))
            group.create_virtual_dataset("0", layout)
        elif kind == "never written":
            plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            space = h5py.h5s.create_simple((1 << 24, 1 << 24))
            h5py.h5d.create(group.id, b"0", h5py.h5t.NATIVE_FLOAT, space, plan)
        elif kind == "deep":
            for _ in range(20):
                group = group.create_group("a")
        elif kind == "named type":
            group["0"] = np.dtype("f4")
        else:
            group.create_dataset("0", data=np.zeros((1, 1, 1, 5, 14), "f4"))


@pytest.mark.usefixtures("child")
@pytest.mark.parametrize(
    "kind, expected",
    [
        ("external link", "is a link to somewhere else"),
        ("soft link", "is a link to somewhere else"),
        ("second name", "is a second name of one object"),
        ("cycle", "is a second name of one object"),
        ("external file", "is chunked, compressed or kept in another file"),
        ("chunked", "is chunked, compressed or kept in another file"),
        ("virtual", "is chunked, compressed or kept in another file"),
        ("never written", "does not lie within the"),
        ("deep", "is nested deeper than Keras nests"),
        ("named type", "is a named type"),
        ("rank", "has 5 dimensions"),
    ],
)
def test_content_that_keras_does_not_write(tmp_path: Path, kind: str, expected: str) -> None:
    build(kind, written(tiny(), tmp_path) / "model.weights.h5")
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path / 'model.weights.h5'}: ")
    assert expected in message


@pytest.mark.usefixtures("child")
@pytest.mark.parametrize(
    "content, expected",
    [
        (b"", "this is no HDF5 file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "this is a Git LFS pointer"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "the HDF5 library says"),
    ],
)
def test_no_file_of_hdf5(tmp_path: Path, content: bytes, expected: str) -> None:
    (written(tiny(), tmp_path) / "model.weights.h5").write_bytes(content)
    assert expected in refusal(tmp_path)


def damaged(path: Path, number: int) -> None:
    """Change a few bytes, most of them outside the numbers."""
    draw = random.Random(number)
    content = bytearray(path.read_bytes())
    for _ in range(draw.choice((1, 2, 4, 8))):
        place = draw.randrange(len(content) - 8)
        kind = draw.randrange(5)
        if kind == 0:
            content[place] = draw.randrange(256)
        elif kind == 1:
            content[place : place + 8] = draw.choice((b"\xff" * 8, bytes(8), draw.randbytes(8)))
        elif kind == 2:
            content[place : place + 8] = draw.randrange(len(content)).to_bytes(8, "little")
        elif kind == 3:
            content[place] ^= 1 << draw.randrange(8)
        else:
            content[draw.randrange(100, len(content)) :] = b""
        if len(content) < 64:
            break
    path.write_bytes(content)


def read_or_refuse(folder: Path) -> None:
    try:
        checkpoint = read_checkpoint(folder)
    except (CheckpointError, ConfigError):
        return
    assert checkpoint.state.keys() == tiny().state.keys()


def survive(folder: Path, numbers: range) -> None:
    healthy = written(tiny(vocab_size=5, hidden_size=4, intermediate_size=3), folder / "healthy")
    for number in numbers:
        shutil.copytree(healthy, folder / "bad", dirs_exist_ok=True)
        damaged(folder / "bad" / ("config.json" if number % 10 == 0 else "model.weights.h5"), number)
        read_or_refuse(folder / "bad")


@pytest.mark.usefixtures("child")
def test_damaged_files(tmp_path: Path) -> None:
    survive(tmp_path, range(6))


@pytest.mark.slow
@pytest.mark.usefixtures("child")
def test_many_damaged_files(tmp_path: Path) -> None:
    survive(tmp_path, range(300))


# ---- KerasHub itself ----


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
