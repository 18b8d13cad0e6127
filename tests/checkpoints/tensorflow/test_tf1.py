"""Google's TF1 checkpoints: what its own code computed we compute; every head there and back; traps and damage."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tiny import assert_same_state

from albertkit.checkpoints import ReadOptions, read_checkpoint
from albertkit.checkpoints.tensorflow.tensor_bundle_writer import write_bundle
from albertkit.checkpoints.tensorflow.tf1 import TF1
from albertkit.checkpoints.tensorflow.tf1_names import (
    HEADS,
    TABLE,
    is_bookkeeping,
    to_canonical_state,
    to_tf1_variables,
)
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError
from checkpoints.tensorflow.tf1_folders import (
    NAME,
    change_config,
    change_variables,
    largest_differences,
    made,
    refusal,
    unwritten,
    variables,
    written,
)

FIXTURES = ("tf1_mlm_sop", "tf1_two_groups_two_inner_relu", "tf1_no_projection")


@pytest.mark.parametrize("name", FIXTURES)
def test_outputs_are_those_of_google(shared: Path, name: str) -> None:
    checkpoint = read_checkpoint(shared / "fixtures" / name)
    assert checkpoint.source_format == "tf1"
    assert checkpoint.heads == ("mlm", "sop")
    assert checkpoint.unexpected == ()
    assert checkpoint.tokenizer_mode == "google"
    differences = largest_differences(checkpoint, shared / "fixtures" / name / "expected.npz")
    assert len(differences) == 4
    assert max(differences.values()) < 2e-5, differences


def test_what_the_files_say(shared: Path) -> None:
    checkpoint = read_checkpoint(shared / "fixtures" / "tf1_mlm_sop")
    assert checkpoint.notes == (
        "65 variables were ignored, since they belong to the training run (optimizer, step counter)",
    )
    assert checkpoint.config == AlbertConfig(
        vocab_size=173,
        embedding_size=12,
        hidden_size=40,
        num_hidden_layers=4,
        num_attention_heads=5,
        intermediate_size=72,
        max_position_embeddings=64,
        hidden_act="gelu_new",
        initializer_range=0.2,
    )
    other = read_checkpoint(shared / "fixtures" / "tf1_two_groups_two_inner_relu").config
    assert (other.hidden_act, other.num_hidden_groups, other.inner_group_num) == ("relu", 2, 2)
    assert "embeddings.projection.weight" not in read_checkpoint(shared / "fixtures" / "tf1_no_projection").state


@pytest.mark.parametrize("name", FIXTURES)
def test_theirs_to_ours_to_theirs(shared: Path, tmp_path: Path, name: str) -> None:
    theirs = shared / "fixtures" / name
    written(tmp_path, read_checkpoint(theirs))
    ours, google = variables(tmp_path), variables(theirs)
    assert ours.keys() == {each for each in google if not is_bookkeeping(each, google)}
    assert all(torch.equal(tensor, google[each]) for each, tensor in ours.items())
    assert (tmp_path / "checkpoint").read_text() == (theirs / "checkpoint").read_text()
    said, meant = (json.loads((folder / "albert_config.json").read_text()) for folder in (tmp_path, theirs))
    assert said == {key: meant[key] for key in said}


@pytest.mark.parametrize("heads", [(), ("mlm", "sop"), ("classifier",), ("span",), ("answer",), ("mlm", "classifier")])
@pytest.mark.parametrize("values", [{}, {"embedding_size": 14}], ids=["two-by-two", "no-projection"])
def test_there_and_back(tmp_path: Path, heads: tuple[str, ...], values: dict[str, Any]) -> None:
    checkpoint = made(*heads, **values)
    again = read_checkpoint(written(tmp_path, checkpoint))
    assert_same_state(again.state, checkpoint.state)
    assert again.config == checkpoint.config
    assert again.notes == ()
    assert again.problem_type == ("single_label_classification" if "classifier" in heads else None)


def test_names_are_googles(tmp_path: Path) -> None:
    names = variables(written(tmp_path, made("answer", "span", "mlm", "sop"))).keys()
    # squad_utils.py, create_v2_model and create_v1_model, with the names that tf.layers gives
    assert {name for name in names if not name.startswith("bert/")} == {
        "start_logits/dense/kernel", "start_logits/dense/bias", "end_logits/dense_0/kernel", "end_logits/dense_0/bias",
        "end_logits/LayerNorm/gamma", "end_logits/LayerNorm/beta", "end_logits/dense_1/kernel",
        "end_logits/dense_1/bias", "answer_class/dense_0/kernel", "answer_class/dense_0/bias",
        "answer_class/dense_1/kernel", "cls/squad/output_weights", "cls/squad/output_bias",
        "cls/predictions/transform/dense/kernel", "cls/predictions/transform/dense/bias",
        "cls/predictions/transform/LayerNorm/gamma", "cls/predictions/transform/LayerNorm/beta",
        "cls/predictions/output_bias", "cls/seq_relationship/output_weights", "cls/seq_relationship/output_bias",
    }  # fmt: skip
    shapes = {name: tuple(tensor.shape) for name, tensor in variables(tmp_path).items()}
    assert shapes["end_logits/dense_0/kernel"] == (28, 14)
    assert shapes["start_logits/dense/kernel"] == (14, 1)
    assert shapes["cls/squad/output_weights"] == (2, 14)
    inner = "bert/encoder/transformer/group_1/inner_group_1"
    assert shapes[f"{inner}/ffn_1/intermediate/dense/kernel"] == (14, 11)
    assert shapes[f"{inner}/ffn_1/intermediate/output/dense/kernel"] == (11, 14)


def test_the_table_names_every_tensor_once() -> None:
    for head in HEADS:
        for name in made(head).state:
            foreign = TABLE.to_foreign(name)
            assert foreign is not None
            assert TABLE.to_canonical(foreign) == name.replace("heads.choice.", "heads.classifier.")


def test_variables_without_files() -> None:
    checkpoint = made("mlm")
    google = to_tf1_variables(checkpoint.state)
    google |= {
        "global_step": torch.tensor(7),
        "more/of/it": torch.ones(1),
        "bert/pooler/dense/kernel/adam_m": torch.ones(1),
    }
    moved = {f"module_1/{name}" if name.startswith("bert") else name: tensor for name, tensor in google.items()}
    for each in (google, moved):
        state, unexpected = to_canonical_state(each)
        assert_same_state(state, checkpoint.state)
        assert unexpected == ("more/of/it",)
    with pytest.raises(CheckpointError, match="are the same tensor"):
        to_canonical_state({**google, **moved}, where="both")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves_are_widened_and_read_as_they_are(tmp_path: Path, dtype: torch.dtype) -> None:
    checkpoint = made("mlm", dtype=dtype)
    again = read_checkpoint(written(tmp_path, checkpoint))
    assert_same_state(again.state, {name: tensor.float() for name, tensor in checkpoint.state.items()})
    write_bundle(tmp_path / NAME, to_tf1_variables(checkpoint.state))
    assert_same_state(read_checkpoint(tmp_path).state, checkpoint.state)


def test_one_output_is_a_regression_or_a_choice(tmp_path: Path) -> None:
    folder = written(tmp_path, made("choice"))
    regression = read_checkpoint(folder)
    assert (regression.heads, regression.problem_type) == (("classifier",), "regression")
    assert "read as the regression of STS-B" in regression.notes[0]
    (folder / f"{NAME}.meta").write_bytes(b"\n\x0bloss/Square\x12\x06Square")
    assert read_checkpoint(folder).heads == ("classifier",)
    (folder / f"{NAME}.meta").write_bytes(b"\n\x0bloss/ArgMax\x12\x06ArgMax")
    choice = read_checkpoint(folder)
    assert (choice.heads, choice.problem_type, choice.notes) == (("choice",), None, ())
    assert_same_state(choice.state, made("choice").state)


def test_every_way_to_name_it(tmp_path: Path) -> None:
    folder = written(tmp_path, made())
    for name in (f"{NAME}.index", f"{NAME}.data-00000-of-00001"):
        assert_same_state(read_checkpoint(folder / name).state, made().state)
    assert TF1.matches(folder / NAME)
    assert_same_state(TF1.read(folder / NAME).state, made().state)
    assert not TF1.matches(folder / "albert_config.json")
    assert not TF1.matches(folder / "absent")


def test_other_folders_do_not_match(tmp_path: Path) -> None:
    assert not TF1.matches(tmp_path)
    folder = written(tmp_path, made())
    assert TF1.matches(folder)
    for name in ("saved_model.pb", "tfhub_module.pb"):
        (folder / name).touch()
        assert not TF1.matches(folder)
        (folder / name).unlink()


def test_several_checkpoints(tmp_path: Path) -> None:
    folder = written(tmp_path, made())
    for step in (900, 1000):
        change_variables(
            folder, lambda each, step=step: each["bert/pooler/dense/bias"].fill_(step), f"model.ckpt-{step}"
        )  # type: ignore[misc]

    def bias() -> float:
        return float(read_checkpoint(folder).state["pooler.bias"][0])

    for part in folder.glob(f"{NAME}.*"):
        part.unlink()
    (folder / "checkpoint").write_text('model_checkpoint_path: "/gone/run\\\\x/model.ckpt-900"\n')
    assert bias() == 900
    assert (
        'model.ckpt-900 was read, one of 2 checkpoints in the folder: it is the one that the file "checkpoint" names'
        in read_checkpoint(folder).notes[0]
    )
    (folder / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-7"\n')
    assert bias() == 1000
    (folder / "checkpoint").unlink()
    assert bias() == 1000
    assert "model.ckpt-1000 was read, one of 2 checkpoints in the folder" in read_checkpoint(folder).notes[0]
    change_best = made().state["pooler.bias"][0]
    TF1.write(made(), folder)
    (folder / "checkpoint").unlink()
    assert bias() == change_best


def test_slots_and_unknown_variables(tmp_path: Path) -> None:
    folder = written(tmp_path, made("mlm"))
    pooler = "bert/pooler/dense/kernel"

    def change(each: dict[str, torch.Tensor]) -> None:
        each |= {f"{pooler}/{slot}": torch.ones(3) for slot in ("adam_m", "adam_v", "lamb_m", "Adam_1", "own")}
        each |= {name: torch.tensor(1) for name in ("global_step", "beta1_power", "Variable", "Variable_3")}
        each |= {f"bert/stranger_{number}": torch.ones(2) for number in range(5)}

    change_variables(folder, change)
    checkpoint = read_checkpoint(folder)
    assert checkpoint.unexpected == tuple(f"bert/stranger_{number}" for number in range(5))
    assert checkpoint.notes == (
        "9 variables were ignored, since they belong to the training run (optimizer, step counter)",
        '5 variables were ignored, since ALBERT has no such variables: "bert/stranger_0", "bert/stranger_1", '
        '"bert/stranger_2", ..',
    )


def test_without_a_pooler(tmp_path: Path) -> None:
    checkpoint = made("mlm")
    state = {name: tensor for name, tensor in checkpoint.state.items() if not name.startswith("pooler.")}
    again = read_checkpoint(written(tmp_path, replace(checkpoint, state=state)))
    assert_same_state(again.state, state)
    assert again.notes == (f"{NAME}.index holds no pooler",)


def test_a_longer_table_of_positions(tmp_path: Path) -> None:
    folder = written(tmp_path, made())
    change_config(folder, max_position_embeddings=7)
    checkpoint = read_checkpoint(folder)
    assert checkpoint.config.max_position_embeddings == 13
    assert checkpoint.notes == (
        "the table of positions has 13 rows and the configuration says 7; the table's size is used",
    )
    change_config(folder, max_position_embeddings=17)
    assert "[13, 5], expected [17, 5]" in refusal(folder)


def test_the_activation(tmp_path: Path) -> None:
    folder = written(tmp_path, made())
    assert json.loads((folder / "albert_config.json").read_text())["hidden_act"] == "gelu"
    assert TF1.read(folder, ReadOptions(activation="gelu")).config.hidden_act == "gelu"
    for value in ("tanh", "gelu_new", "", None, ["gelu"]):
        change_config(folder, hidden_act=value)
        assert "Google's files say gelu or relu" in refusal(folder)
        assert TF1.read(folder, ReadOptions(activation="relu")).config.hidden_act == "relu"
    change_config(folder, hidden_act=...)
    assert read_checkpoint(folder).config.hidden_act == "gelu_new"


def test_keys_of_other_software(tmp_path: Path) -> None:
    folder = written(tmp_path, made())
    change_config(folder, pooler_type="first_token_transform", ln_type="postln", layers_to_keep=[])
    assert read_checkpoint(folder).notes == (
        "albert_config.json: keys that do not describe the network were ignored: pooler_type",
    )


def test_groups_that_google_rounds_down(tmp_path: Path) -> None:
    folder = written(tmp_path, made(num_hidden_layers=22, num_hidden_groups=11, inner_group_num=1))
    assert read_checkpoint(folder).notes == ()
    checkpoint = made(num_hidden_layers=23, num_hidden_groups=23, inner_group_num=1)
    write_bundle(folder / NAME, to_tf1_variables(checkpoint.state))
    change_config(folder, num_hidden_layers=23, num_hidden_groups=23)
    assert "Google's code rounds the group of some layers down" in read_checkpoint(folder).notes[0]
    (tmp_path / "empty").mkdir()
    assert "Google's code would use other weights" in unwritten(checkpoint, tmp_path / "empty")


@pytest.mark.parametrize(
    "files, name, found",
    [
        (("30k-clean.model", "30k-clean.vocab"), "spiece.model", "30k-clean.model"),
        (("zh.model",), "spiece.model", "zh.model"),
        (("vocab_chinese.txt",), "vocab.txt", "vocab_chinese.txt"),
        (("vocab.txt", "vocab_chinese.txt"), "vocab.txt", "vocab.txt"),
        (("one.model", "two.model"), None, None),
    ],
)
def test_vocabularies(tmp_path: Path, files: tuple[str, ...], name: str | None, found: str | None) -> None:
    folder = written(tmp_path / "model", made())
    for file in files:
        (folder / file).write_text(file)
    checkpoint = read_checkpoint(folder)
    assert checkpoint.tokenizer_files == ({name: folder / str(found)} if name else {})
    assert checkpoint.notes == (
        () if name else ("several files could be the vocabulary, so none was used: one.model, two.model",)
    )
    copied = written(tmp_path / "copy", checkpoint)
    if name:
        copy = copied / {"spiece.model": "30k-clean.model", "vocab.txt": "vocab.txt"}[name]
        assert copy.read_text() == found


def test_the_dropout_of_the_classifier_is_kept(tmp_path: Path) -> None:
    assert read_checkpoint(written(tmp_path, made(classifier_dropout_prob=0.3))).config.classifier_dropout_prob == 0.3
