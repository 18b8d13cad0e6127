"""KerasHub presets that are refused: configurations, contents, damaged files."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albertkit.checkpoints import Checkpoint, ReadOptions, read_checkpoint
from albertkit.checkpoints.kerashub.keras import KERAS
from albertkit.errors import CheckpointError, ConfigError, MissingExtraError

pytest.importorskip("h5py", reason="KerasHub's presets need h5py")

from tests.checkpoints.kerashub.presets import CONFIG, change_json, refusal, tiny, written


@pytest.mark.parametrize(
    "checkpoint, expected",
    [
        (tiny(hidden_act="relu"), "made here: hidden_act is relu, and KerasHub's ALBERT always has gelu_new"),
        (tiny(hidden_act="gelu"), "made here: hidden_act is gelu, "),
        (tiny(layer_norm_eps=1e-5), "made here: layer_norm_eps is 1e-05, "),
        (tiny(num_hidden_groups=4), "num_hidden_layers 6 is not a multiple of num_hidden_groups 4"),
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
        ({"class_name": "BertBackbone"}, "describes BertBackbone, but albertkit reads only KerasHub's AlbertBackbone"),
        ({"config": 7}, "describes AlbertBackbone"),
        ({"num_groups": 4}, "num_groups 4 does not divide num_layers 6"),
        ({"num_heads": 7}, "has 2 attention heads in layers/transformer_encoder"),
        ({"num_layers": 10**9}, "num_hidden_layers is 1000000000, not a whole number from 1 to 1000"),
        ({"num_layers": 900, "num_groups": 900}, "too few for the 900 layers"),
        (
            {"vocabulary_size": 10**7},
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
        (b"", "this is not an HDF5 file"),
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
