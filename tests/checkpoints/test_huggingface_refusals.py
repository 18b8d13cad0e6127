"""Hugging Face folders of another network, with other tensors, old or inconsistent; transformers is not needed here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from albertkit.checkpoints import Checkpoint, read_checkpoint
from albertkit.checkpoints.huggingface import HUGGINGFACE
from albertkit.errors import CheckpointError, ConfigError
from checkpoints.folders import CONFIG, change_config, change_weights, made, refusal

# ---- config.json ----


@pytest.mark.parametrize(
    "values, expected",
    [
        ({"model_type": "bert"}, 'model_type is "bert", and albertkit reads only ALBERT models ("albert")'),
        ({"model_type": ..., "num_hidden_groups": ...}, 'model_type is "unknown"'),
        ({"hidden_act": "swish"}, 'hidden_act is "swish", only gelu, gelu_new, relu, gelu_pytorch_tanh are supported'),
        ({"hidden_act": None}, 'hidden_act is "None"'),
        ({"position_embedding_type": "relative_key"}, 'position_embedding_type is "relative_key"'),
    ],
)
def test_another_network(folder: Path, values: dict[str, Any], expected: str) -> None:
    change_config(folder, **values)
    message = refusal(folder)
    assert message.startswith(f"{folder / 'config.json'}: ")
    assert expected in message


@pytest.mark.parametrize(
    "values",
    [
        {"hidden_size": "14"},
        {"num_attention_heads": 3},
        {"net_structure_type": 1},
        {"num_hidden_layers": 10**6},
        {"inner_group_num": 10**6},
    ],
)
def test_a_value_that_cannot_be(folder: Path, values: dict[str, Any]) -> None:
    change_config(folder, **values)
    with pytest.raises(ConfigError, match=r"config\.json: "):
        read_checkpoint(folder)


def test_activations_and_other_keys(folder: Path) -> None:
    change_config(folder, hidden_act="gelu_pytorch_tanh", summary_type="first", position_embedding_type="absolute")
    checkpoint = read_checkpoint(folder)
    assert checkpoint.config.hidden_act == "gelu_new"
    assert checkpoint.notes == ("config.json: keys that do not describe the network were ignored: summary_type",)


def test_id2label_and_problem_type(tmp_path: Path) -> None:
    HUGGINGFACE.write(made("classifier"), tmp_path)
    assert read_checkpoint(tmp_path).labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    change_config(tmp_path, id2label=...)
    assert read_checkpoint(tmp_path).labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    change_config(tmp_path, id2label={"1": "a", "2": "b", "3": "c"})
    assert "the keys of id2label are not 0, 1, 2" in refusal(tmp_path)
    change_config(tmp_path, id2label={"0": "a", "1": "b"})
    assert "heads.classifier.weight (classifier.weight in the file) [3, 14], expected [2, 14]" in refusal(tmp_path)
    change_config(tmp_path, problem_type="guess")
    assert 'problem_type is "guess", not one of single_label_classification, regression' in refusal(tmp_path)


@pytest.mark.parametrize("declared", [None, [], ["MyOwnAlbert"]])
def test_an_unknown_class_is_told_from_the_tensors(tmp_path: Path, declared: Any) -> None:
    HUGGINGFACE.write(made("classifier"), tmp_path)
    change_config(tmp_path, architectures=declared)
    checkpoint = read_checkpoint(tmp_path)
    assert checkpoint.heads == ("classifier",)
    assert any("the tensors were read as AlbertForSequenceClassification" in note for note in checkpoint.notes)
    change_weights(tmp_path, lambda tensors: [tensors.pop(f"albert.pooler.{leaf}") for leaf in ("weight", "bias")])
    assert read_checkpoint(tmp_path).heads == ("tags",)


# ---- tensors ----


def test_shapes_that_contradict_the_config(folder: Path) -> None:
    change_config(folder, intermediate_size=17, num_hidden_groups=2)
    message = refusal(folder)
    assert message.startswith(f"{folder / 'model.safetensors'}: ")
    assert "missing (16):" in message
    assert "mis-shaped (3):" in message
    assert "groups.0.layers.0.ffn.up.bias" in message


def test_values_that_are_no_numbers(folder: Path) -> None:
    change_weights(folder, lambda tensors: tensors["albert.pooler.bias"][2:4].fill_(float("nan")))
    assert "pooler.bias (albert.pooler.bias in the file) holds 2 of 14 values NaN or infinite" in refusal(folder)


def test_missing_and_unexpected_tensors(folder: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        del tensors["sop_classifier.classifier.weight"], tensors["albert.pooler.weight"]
        tensors["albert.stray"] = torch.ones(1)

    change_weights(folder, change)
    lines = refusal(folder).splitlines()
    assert lines[1:] == [
        "  missing (2):",
        "    pooler.weight (albert.pooler.weight in the file) [14, 14]",
        "    heads.sop.weight (sop_classifier.classifier.weight in the file) [2, 14]",
        "  unexpected (1):",
        "    albert.stray [1]",
    ]


def test_a_declared_head_that_is_not_there_is_no_fresh_head(folder: Path) -> None:
    change_weights(folder, lambda tensors: [tensors.pop(name) for name in [*tensors] if name.startswith("sop_")])
    assert "heads.sop.bias" in refusal(folder)


def test_names_without_prefix_are_shown_as_they_are(tmp_path: Path) -> None:
    HUGGINGFACE.write(made(), tmp_path)

    def change(tensors: dict[str, torch.Tensor]) -> None:
        del tensors["embeddings.LayerNorm.bias"]
        tensors["stray"] = torch.ones(1)

    change_weights(tmp_path, change)
    message = refusal(tmp_path)
    assert "embeddings.norm.bias (embeddings.LayerNorm.bias in the file) [5]" in message
    assert "    stray [1]" in message


def test_gamma_and_beta_of_old_files(folder: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        for name in [*tensors]:
            if "LayerNorm" in name or "layer_norm" in name:
                new = name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta")
                tensors[new.replace("norm.weight", "norm.gamma").replace("norm.bias", "norm.beta")] = tensors.pop(name)

    before = dict(read_checkpoint(folder).state)
    before = {name: tensor.clone() for name, tensor in before.items()}
    change_weights(folder, change)
    after = read_checkpoint(folder).state
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    change_weights(folder, lambda tensors: tensors.update({"predictions.LayerNorm.weight": torch.ones(5)}))
    assert "is a second tensor for predictions.LayerNorm" in refusal(folder)


def test_known_copies_are_dropped_when_they_say_the_same(folder: Path) -> None:
    names = set(read_checkpoint(folder).state)

    def add(tensors: dict[str, torch.Tensor]) -> None:
        tensors["predictions.decoder.weight"] = tensors["albert.embeddings.word_embeddings.weight"].clone()
        tensors["predictions.decoder.bias"] = tensors["predictions.bias"].clone()
        tensors["albert.embeddings.position_ids"] = torch.arange(13)[None]
        tensors["albert.embeddings.token_type_ids"] = torch.zeros(1, 13, dtype=torch.int64)

    change_weights(folder, add)
    checkpoint = read_checkpoint(folder)
    assert set(checkpoint.state) == names
    assert checkpoint.notes == ()
    change_weights(folder, lambda tensors: tensors["predictions.decoder.bias"].zero_())
    assert "predictions.decoder.bias is all zeros" in read_checkpoint(folder).notes[0]
    change_weights(folder, lambda tensors: tensors.pop("predictions.bias"))
    assert not read_checkpoint(folder).state["heads.mlm.bias"].any()


@pytest.mark.parametrize(
    "name, expected",
    [
        ("predictions.decoder.weight", "differs from albert.embeddings.word_embeddings.weight"),
        ("predictions.decoder.bias", "differs from predictions.bias"),
        ("albert.embeddings.position_ids", "does not hold the usual values"),
    ],
)
def test_copies_that_say_something_else_are_refused(folder: Path, name: str, expected: str) -> None:
    change_weights(folder, lambda tensors: tensors.update({name: torch.full((31, 5), 7.0)}))
    assert f"{name} {expected}" in refusal(folder)


def test_two_outputs_with_one_name(tmp_path: Path) -> None:
    HUGGINGFACE.write(made("classifier"), tmp_path)
    change_config(tmp_path, id2label={"0": "good", "1": "bad", "2": "good"})
    assert 'id2label gives the name "good" to 2 outputs' in refusal(tmp_path)


@pytest.mark.parametrize(
    "names, expected",
    [
        (["good", None, "bad"], "id2label: the name of output 1 is None; give each output a name"),
        (["good", "bad", ""], "id2label: the name of output 2 is ''"),
        ([" ", "good", "bad"], "id2label: the name of output 0 is ' '"),
        ([["good"], "bad", "so so"], "id2label: the name of output 0 is ['good']"),
        (["good", "bad", "good "], 'id2label gives the name "good" (but for blanks around it) to 2 outputs'),
    ],
)
def test_outputs_without_a_name_of_their_own(tmp_path: Path, names: list[Any], expected: str) -> None:
    HUGGINGFACE.write(made("classifier"), tmp_path)
    change_config(tmp_path, id2label={str(number): name for number, name in enumerate(names)})
    assert expected in refusal(tmp_path)


def test_numbers_are_names(tmp_path: Path) -> None:
    HUGGINGFACE.write(made("classifier"), tmp_path)
    change_config(tmp_path, id2label={"0": 0, "1": 2.5, "2": "two"})
    assert read_checkpoint(tmp_path).labels == ("0", "2.5", "two")


# ---- our own files ----


@pytest.mark.parametrize(
    "task, expected",
    [
        ({"format_version": 2}, "has format version 2, this albertkit reads up to 1; pip install --upgrade albertkit"),
        ({}, "format_version is None, not a whole number from 1"),
        ({"format_version": "one"}, "format_version is 'one'"),
    ],
)
def test_a_task_of_another_version(folder: Path, task: dict[str, Any], expected: str) -> None:
    (folder / "task.json").write_text(json.dumps(task))
    assert f"{folder / 'task.json'}: {expected}" in refusal(folder)


def test_extra_heads_that_do_not_belong(folder: Path) -> None:
    path = folder / "head.safetensors"
    safetensors.torch.save_file({"pooler.weight": torch.ones(14, 14)}, path)
    assert 'holds "pooler.weight", but only tensors under "heads." belong there' in refusal(folder)
    safetensors.torch.save_file({"heads.mlm.bias": torch.ones(31)}, path)
    assert 'model.safetensors and head.safetensors both hold "heads.mlm.bias"' in refusal(folder)


@pytest.mark.parametrize(
    "checkpoint, expected",
    [
        (replace(made("classifier"), labels=("a", "b")), r"the labels of the classifier head are \['a', 'b'\]"),
        (replace(made("tags"), labels=("a", "b", "b")), "expected 3 distinct names"),
        (replace(made("mlm", "sop"), labels=("a", "b")), "2 labels were given, but no head of the model has labels"),
        (replace(made("classifier"), problem_type="guess"), 'problem type "guess" is not one of single_label'),
        (replace(made(), config=replace(CONFIG, hidden_size=16)), "made here: 19 tensors do not fit"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, checkpoint: Checkpoint, expected: str) -> None:
    with pytest.raises(CheckpointError, match=expected):
        HUGGINGFACE.write(checkpoint, tmp_path)
    assert not list(tmp_path.iterdir())
