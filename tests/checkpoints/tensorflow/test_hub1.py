"""TF1 hub modules: with and without the scope `module/`, with and without the configuration."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from tests.tiny import assert_same_state

from albertkit.checkpoints import ReadOptions, read_checkpoint
from albertkit.checkpoints.tensorflow.hub1 import HUB1
from albertkit.checkpoints.tensorflow.tensor_bundle_writer import write_bundle
from albertkit.checkpoints.tensorflow.tf1 import TF1
from albertkit.checkpoints.tensorflow.tf1_config import tf1_config_values
from albertkit.checkpoints.tensorflow.tf1_names import to_tf1_variables
from albertkit.errors import CheckpointError
from checkpoints.tensorflow.tf1_folders import largest_differences, made


def module(folder: Path, checkpoint: object = None, *, scope: str = "module/", config: bool = True) -> Path:
    model = made("mlm", "sop") if checkpoint is None else checkpoint
    folder.mkdir(exist_ok=True)
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")
    (folder / "assets").mkdir()
    (folder / "variables").mkdir()
    tensors = {scope + name: tensor for name, tensor in to_tf1_variables(model.state).items()}  # type: ignore[attr-defined]
    write_bundle(folder / "variables" / "variables", tensors)
    if config:
        values = tf1_config_values(model.config, where="made")  # type: ignore[attr-defined]
        (folder / "assets" / "albert_config.json").write_text(json.dumps(values))
    return folder


def test_outputs_are_those_of_google(shared: Path) -> None:
    folder = shared / "fixtures" / "hub1_module"
    checkpoint = read_checkpoint(folder)
    assert checkpoint.source_format == "hub1"
    assert checkpoint.heads == ("mlm", "sop")
    assert checkpoint.notes == ()
    assert checkpoint.tokenizer_files == {"spiece.model": folder / "assets" / "30k-clean.model"}
    differences = largest_differences(checkpoint, folder / "expected.npz")
    assert max(differences.values()) < 2e-5, differences
    assert_same_state(checkpoint.state, read_checkpoint(shared / "fixtures" / "tf1_mlm_sop").state)


@pytest.mark.parametrize("scope", ["module/", "", "module_1/"])
def test_the_scope_of_the_variables(tmp_path: Path, scope: str) -> None:
    folder = module(tmp_path, scope=scope)
    checkpoint = read_checkpoint(folder)
    assert_same_state(checkpoint.state, made("mlm", "sop").state)
    assert checkpoint.config == made().config
    assert checkpoint.tokenizer_mode == "google"
    (folder / "saved_model.pb").touch()
    assert HUB1.matches(folder)
    assert read_checkpoint(folder).source_format == "hub1"


def test_it_is_nothing_else(tmp_path: Path) -> None:
    folder = module(tmp_path)
    assert not TF1.matches(folder)
    (folder / "tfhub_module.pb").rename(folder / "saved_model.pb")
    assert not HUB1.matches(folder)
    assert not TF1.matches(folder)
    assert not HUB1.matches(folder / "saved_model.pb")


def test_sizes_by_shapes_and_the_user(tmp_path: Path) -> None:
    folder = module(tmp_path, config=False)
    with pytest.raises(
        CheckpointError, match="no published model has hidden_size 14; pass --num-layers and --num-heads"
    ):
        read_checkpoint(folder)
    with pytest.raises(CheckpointError, match=r"pass --num-heads$"):
        HUB1.read(folder, ReadOptions(num_layers=5))
    checkpoint = HUB1.read(folder, ReadOptions(num_layers=5, num_heads=2))
    assert checkpoint.config == made().config
    assert checkpoint.notes == (
        "the module has no albert_config.json: sizes come from the weights, layers and heads as given, "
        "activation gelu_new",
    )
    assert HUB1.read(folder, ReadOptions(num_layers=5, num_heads=2, activation="relu")).config.hidden_act == "relu"


def test_sizes_by_the_published_models(tmp_path: Path) -> None:
    values = {"hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12, "num_hidden_groups": 1}
    model = made(**values, inner_group_num=1, vocab_size=21128)
    checkpoint = read_checkpoint(module(tmp_path, model, config=False))
    assert checkpoint.config.num_attention_heads == checkpoint.config.num_hidden_layers == 12
    assert checkpoint.config.hidden_act == "relu"
    assert "layers and heads like albert-base-v1" in checkpoint.notes[0]


def test_what_is_no_module(tmp_path: Path) -> None:
    folder = module(tmp_path, config=False)
    write_bundle(folder / "variables" / "variables", {"w": torch.ones(3)})
    with pytest.raises(CheckpointError, match="is this an ALBERT module"):
        read_checkpoint(folder)
    shutil.rmtree(folder / "variables")
    with pytest.raises(CheckpointError, match=r"variables\.index: the file is missing"):
        read_checkpoint(folder)


def test_modules_are_not_written(tmp_path: Path) -> None:
    assert HUB1.writes is None
    with pytest.raises(CheckpointError, match="are only read; convert to tf1"):
        HUB1.write(made(), tmp_path)
