"""TF1 checkpoints that are damaged, incomplete or hostile, and models that Google's code cannot have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tiny import assert_same_state

from albertkit.checkpoints import Checkpoint, read_checkpoint
from albertkit.checkpoints.tensorflow.sstable import read_table, table_bytes
from albertkit.checkpoints.tensorflow.tensor_bundle import read_bundle
from albertkit.checkpoints.tensorflow.tensor_bundle_writer import write_bundle
from albertkit.checkpoints.tensorflow.tf1 import TF1
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError
from checkpoints.tensorflow.tf1_folders import (
    NAME,
    SIZES,
    change_config,
    change_variables,
    made,
    mutations,
    outcome,
    refusal,
    unwritten,
    written,
)


def test_missing_variables_are_told_at_once(tmp_path: Path) -> None:
    folder = written(tmp_path, made("mlm", "sop"))
    gone = ("bert/pooler/dense/kernel", "cls/predictions/output_bias")
    change_variables(folder, lambda each: [each.pop(name) for name in gone])
    message = refusal(folder)
    assert "missing (2)" in message
    assert "pooler.weight (bert/pooler/dense/kernel in the file) [14, 14]" in message
    assert "heads.mlm.bias (cls/predictions/output_bias in the file) [31]" in message


def test_a_kernel_of_another_shape(tmp_path: Path) -> None:
    folder = written(tmp_path, made())
    change_variables(folder, lambda each: each.update({"bert/pooler/dense/kernel": torch.ones(2, 3, 4)}))
    assert "pooler.weight (bert/pooler/dense/kernel in the file) [2, 3, 4], expected [14, 14]" in refusal(folder)


@pytest.mark.parametrize(
    "values, expected",
    [
        ({"net_structure_type": 1}, "net_structure_type 1 is not supported"),
        ({"ln_type": "preln"}, "ln_type is 'preln', only 'postln' is supported"),
        ({"layers_to_keep": [0, 1]}, "layers_to_keep is [0, 1], only [] is supported"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000, not a whole number from 1 to 1000"),
        ({"num_hidden_layers": 999, "num_hidden_groups": 999}, "too few for the 1998 layers of the configuration"),
        ({"inner_group_num": 99}, "too few for the"),
        ({"inner_group_num": 10**9}, "inner_group_num is 1000000000, not a whole number from 1 to 100"),
        ({"vocab_size": 10**7}, "expected [10000000, 5]"),
        ({"vocab_size": 10**9}, "vocab_size is 1000000000, not a whole number from 1 to 10000000"),
        ({"hidden_size": "14"}, "hidden_size is '14', not a whole number"),
        ({"num_attention_heads": 3}, "3 attention heads do not divide hidden_size 14"),
    ],
)
def test_configurations_that_cannot_be(tmp_path: Path, values: dict[str, Any], expected: str) -> None:
    folder = written(tmp_path, made())
    change_config(folder, **values)
    assert expected in refusal(folder)


def test_no_configuration(tmp_path: Path) -> None:
    folder = written(tmp_path, made())
    path = folder / "albert_config.json"
    path.rename(folder / "albert_config_tiny.json")
    assert read_checkpoint(folder).config == made().config
    (folder / "albert_config_tiny.json").unlink()
    assert refusal(folder).startswith(f"{path}: the file is missing")
    assert "copy it there from the archive" in refusal(folder)


def test_no_weights(tmp_path: Path) -> None:
    folder = written(tmp_path, made())
    for part in folder.glob(f"{NAME}.*"):
        part.unlink()
    assert f"{folder}: holds no weights; expected model.ckpt-best.index" in refusal(folder)
    (folder / "model.ckpt-10").write_bytes(table_bytes({b"": b""}))
    for path in (folder, folder / "model.ckpt-10"):
        assert TF1.matches(path)
        assert f"{folder / 'model.ckpt-10'}: is a checkpoint of TensorFlow's first format" in refusal(path)


def test_tensorflow_2_objects(tmp_path: Path) -> None:
    folder = written(tmp_path, made())
    write_bundle(folder / NAME, {"_CHECKPOINTABLE_OBJECT_GRAPH": torch.ones(1)})
    assert "is a checkpoint of TensorFlow 2's objects" in refusal(folder)


def deep() -> Checkpoint:
    state = dict(made().state)
    state |= {"heads.classifier.hidden.0.weight": torch.ones(3, 14), "heads.classifier.output.bias": torch.ones(3)}
    return replace(made(), state=state)


REFUSED: dict[str, tuple[Callable[[], Checkpoint], str]] = {
    "deep": (deep, 'its deep head "classifier" cannot be stored'),
    "tags": (lambda: made("tags"), 'its head "tags" cannot be stored'),
    "both": (lambda: made("classifier", "choice"), "have one name"),
    "erf": (lambda: made(hidden_act="gelu"), "convert with --activation gelu_new"),
    "epsilon": (lambda: made(layer_norm_eps=1e-5), "layer_norm_eps is 1e-05"),
    "pooling": (lambda: replace(made("classifier"), task={"head": {"pooling": "mean"}}), "reads the mean"),
    "many": (lambda: replace(made("classifier"), problem_type="multi_label_classification"), "multi-label"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_google_cannot_have(tmp_path: Path, name: str) -> None:
    checkpoint, expected = REFUSED[name]
    assert unwritten(checkpoint(), tmp_path).startswith("made here: ")
    assert expected in unwritten(checkpoint(), tmp_path)


def test_a_state_that_does_not_fit_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="mis-shaped"):
        TF1.write(replace(made(), config=AlbertConfig(**{**SIZES, "vocab_size": 37})), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_damaged_values_are_told(tmp_path: Path) -> None:
    folder = written(tmp_path, made())
    path = folder / f"{NAME}.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert 'the checksum of "bert/embeddings/' in refusal(folder)
    path.write_bytes(content[:-1])
    assert "the file is cut off, copy it again" in refusal(folder)
    change = torch.full((14,), float("nan"))
    folder = written(tmp_path / "nan", made())
    change_variables(folder, lambda each: each.update({"bert/pooler/dense/bias": change}))
    assert "14 of 14 values NaN or infinite" in refusal(folder)


def test_damage_of_slots_does_not_matter(tmp_path: Path) -> None:
    folder = written(tmp_path, made())
    change_variables(folder, lambda each: each.update({"bert/pooler/dense/kernel/adam_m": torch.ones(9999)}))
    entry = read_bundle(folder / NAME).entries["bert/pooler/dense/kernel/adam_m"]
    path = folder / f"{NAME}.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[entry.offset : entry.offset + 50] = bytes(50)
    path.write_bytes(content)
    assert_same_state(read_checkpoint(folder).state, made().state)


def test_damaged_folders_raise_nothing_else(tmp_path: Path) -> None:
    folder = written(tmp_path, made("mlm", num_hidden_groups=1, inner_group_num=1))
    index, config = folder / f"{NAME}.index", folder / "albert_config.json"
    files = {path: path.read_bytes() for path in (index, config, folder / "checkpoint")}
    entries = read_table(index)
    key = b"bert/embeddings/word_embeddings"
    outcomes = []
    for number in range(100):
        for path, content in files.items():
            path.write_bytes(content)
        if number % 2:
            path = list(files)[number % 3]
            path.write_bytes(next(mutations(files[path], count=1, seed=number)))
        else:
            index.write_bytes(table_bytes({**entries, key: next(mutations(entries[key], count=1, seed=number))}))
        outcomes.append(outcome(lambda: TF1.read(folder)))
    assert set(outcomes) <= {"fine", "CheckpointError", "ConfigError"}
    assert outcomes.count("fine") < 60
