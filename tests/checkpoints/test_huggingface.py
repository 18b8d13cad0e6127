"""Hugging Face folders: what transformers saves we read, and what we write transformers loads, bit for bit."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from tests.tiny import assert_same_state

from albertkit.batching.batch import Batch
from albertkit.checkpoints import FORMATS, Checkpoint, read_checkpoint
from albertkit.checkpoints.huggingface import HUGGINGFACE
from albertkit.checkpoints.huggingface_config import ARCHITECTURES
from albertkit.checkpoints.shapes import encoder_shapes, head_shapes, parameter_counts
from albertkit.checkpoints.tensorflow.tf1_config import tf1_config_values
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError
from albertkit.models.pretrained import load_encoder

SIZES: dict[str, Any] = {
    "vocab_size": 31,
    "embedding_size": 5,
    "hidden_size": 14,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 11,
    "max_position_embeddings": 13,
    "classifier_dropout_prob": 0.07,
    "hidden_act": "gelu",
}
TWO_BY_TWO: dict[str, Any] = {**SIZES, "num_hidden_groups": 2, "inner_group_num": 2, "num_hidden_layers": 5}
NO_POOLER = {"AlbertForMaskedLM", "AlbertForTokenClassification", "AlbertForQuestionAnswering"}


@pytest.fixture(scope="module")
def transformers() -> Iterator[ModuleType]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peer's own deprecations are not ours to repair
        peer = pytest.importorskip("transformers")
        peer.logging.set_verbosity_error()
        peer.logging.disable_progress_bar()
        yield peer


def random_model(peer: ModuleType, architecture: str, **values: Any) -> Any:
    """A model of transformers with every parameter drawn at random (fresh biases and norms would be 0 and 1)."""
    torch.manual_seed(17)
    if architecture in ("AlbertForSequenceClassification", "AlbertForTokenClassification"):
        values = {"id2label": {0: "red", 1: "green", 2: "blue"}, "label2id": {"red": 0, "green": 1, "blue": 2}} | values
    model = getattr(peer, architecture)(peer.AlbertConfig(**{**SIZES, **values})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    return model


def outputs(model: Any, architecture: str) -> list[torch.Tensor]:
    ids = torch.tensor([[2, 7, 19, 30, 3], [2, 23, 3, 0, 0]])
    inputs = {
        "input_ids": ids,
        "attention_mask": (ids != 0).long(),
        "token_type_ids": torch.tensor([[0, 0, 0, 1, 1], [0] * 5]),
    }
    if architecture == "AlbertForMultipleChoice":
        inputs = {name: value[None] for name, value in inputs.items()}
    with torch.no_grad():
        return [value for value in model(**inputs).values() if isinstance(value, torch.Tensor)]


def tiny(*heads: str, **values: Any) -> Checkpoint:
    """A checkpoint of ours; every tensor is random."""
    config = AlbertConfig(**{**SIZES, **values})
    shapes = encoder_shapes(config)
    for head in heads:
        shapes |= head_shapes(config, head, 3)
    generator = torch.Generator().manual_seed(19)
    state = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return Checkpoint(config, state, source_format="made", source="made here")


@pytest.mark.parametrize("sizes", [SIZES, TWO_BY_TWO], ids=["shared", "two-by-two"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_theirs_to_ours_to_theirs(
    transformers: ModuleType, tmp_path: Path, architecture: str, sizes: dict[str, Any]
) -> None:
    model = random_model(transformers, architecture, **sizes)
    model.save_pretrained(tmp_path / "theirs")
    checkpoint = read_checkpoint(tmp_path / "theirs")
    assert checkpoint.heads == ARCHITECTURES[architecture]
    assert checkpoint.has_pooler == (architecture not in NO_POOLER)
    labelled = architecture in ("AlbertForSequenceClassification", "AlbertForTokenClassification")
    assert checkpoint.labels == (("red", "green", "blue") if labelled else ())
    assert checkpoint.config == AlbertConfig(**sizes)

    (tmp_path / "ours").mkdir()
    HUGGINGFACE.write(checkpoint, tmp_path / "ours")
    again, report = getattr(transformers, architecture).from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(report.values()), report
    assert_same_state(model.state_dict(), again.state_dict())
    for one, other in zip(outputs(model, architecture), outputs(again.eval(), architecture), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)

    theirs, ours = (json.loads((tmp_path / name / "config.json").read_text()) for name in ("theirs", "ours"))
    del theirs["transformers_version"]
    assert {key: ours[key] for key in theirs} == theirs
    assert ours.keys() - theirs.keys() <= {"num_labels"}
    names = [safetensors.torch.load_file(tmp_path / name / "model.safetensors").keys() for name in ("theirs", "ours")]
    assert names[0] == names[1]

    reread = read_checkpoint(tmp_path / "ours")
    assert_same_state(dict(checkpoint.state), dict(reread.state))
    assert (reread.config, reread.labels, reread.notes) == (checkpoint.config, checkpoint.labels, checkpoint.notes)


@pytest.mark.parametrize(
    "heads, architecture",
    [
        ((), "AlbertModel"),
        (("mlm", "sop"), "AlbertForPreTraining"),
        (("mlm",), "AlbertForMaskedLM"),
        (("classifier",), "AlbertForSequenceClassification"),
        (("tags",), "AlbertForTokenClassification"),
        (("span",), "AlbertForQuestionAnswering"),
        (("choice",), "AlbertForMultipleChoice"),
        (("sop",), "AlbertModel"),
        (("mlm", "sop", "classifier"), "AlbertForSequenceClassification"),
        (("classifier", "tags"), "AlbertModel"),
    ],
)
def test_ours_to_theirs_misses_nothing(
    transformers: ModuleType, tmp_path: Path, heads: tuple[str, ...], architecture: str
) -> None:
    checkpoint = tiny(*heads)
    HUGGINGFACE.write(checkpoint, tmp_path)
    declared = json.loads((tmp_path / "config.json").read_text())["architectures"]
    assert declared == [architecture]
    _, report = getattr(transformers, architecture).from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["mismatched_keys"]
    # Published files too hold the pooler next to a head that does not read it.
    pooler = {"albert.pooler.weight", "albert.pooler.bias"} if architecture in NO_POOLER else set()
    # Heads that the class does not have keep their places with empty tensors, so that no class makes up random ones.
    tensors = safetensors.torch.load_file(tmp_path / "model.safetensors")
    assert set(report["unexpected_keys"]) == pooler | {name for name, tensor in tensors.items() if not tensor.numel()}
    encoder, report = transformers.AlbertModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert torch.equal(encoder.state_dict()["pooler.weight"], checkpoint.state["pooler.weight"])
    reread = read_checkpoint(tmp_path)
    assert_same_state(dict(checkpoint.state), dict(reread.state))
    assert reread.config == checkpoint.config


def test_equal_sizes_get_an_identity_projection_that_goes_again(transformers: ModuleType, tmp_path: Path) -> None:
    checkpoint = tiny("mlm", "sop", embedding_size=14)
    HUGGINGFACE.write(checkpoint, tmp_path)
    model, report = transformers.AlbertForPreTraining.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values()), report
    projection = model.albert.encoder.embedding_hidden_mapping_in
    assert torch.equal(projection.weight, torch.eye(14))
    assert not projection.bias.any()
    reread = read_checkpoint(tmp_path)
    assert_same_state(dict(checkpoint.state), dict(reread.state))


@pytest.mark.filterwarnings("ignore::albertkit.models.loaded.FreshWeightsWarning")  # there is no tokenizer
def test_another_projection_between_equal_sizes_is_kept(transformers: ModuleType, tmp_path: Path) -> None:
    theirs = random_model(transformers, "AlbertModel", embedding_size=14)
    theirs.save_pretrained(tmp_path / "theirs")
    checkpoint = read_checkpoint(tmp_path / "theirs")
    assert checkpoint.config.has_projection
    mapping = theirs.state_dict()["encoder.embedding_hidden_mapping_in.weight"]
    assert torch.equal(checkpoint.state["embeddings.projection.weight"], mapping)
    encoder = load_encoder(tmp_path / "theirs").eval()
    batch = Batch.from_padded(np.array([[2, 7, 3], [2, 3, 0]]), np.array([[1, 1, 1], [1, 1, 0]]), np.zeros((2, 3), int))
    padded = {name: torch.from_numpy(array) for name, array in batch.pad().items()}
    with torch.inference_mode():
        expected = theirs.eval()(**padded).pooler_output
        torch.testing.assert_close(encoder(batch).pooled_output, expected, rtol=1e-5, atol=1e-5)
    (tmp_path / "ours").mkdir()
    HUGGINGFACE.write(checkpoint, tmp_path / "ours")
    again, report = transformers.AlbertModel.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(report.values()), report
    assert_same_state(theirs.state_dict(), again.state_dict())
    assert read_checkpoint(tmp_path / "ours").config == checkpoint.config
    assert sum(map(torch.numel, checkpoint.state.values())) == parameter_counts(checkpoint.config)["total"]
    with pytest.raises(CheckpointError, match="Google's code has no projection there"):
        tf1_config_values(replace(checkpoint.config, hidden_act="gelu_new"), where="m")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_as_it_is(transformers: ModuleType, tmp_path: Path, dtype: torch.dtype) -> None:
    model = random_model(transformers, "AlbertForPreTraining").to(dtype)
    model.save_pretrained(tmp_path / "theirs")
    checkpoint = read_checkpoint(tmp_path / "theirs")
    assert {tensor.dtype for tensor in checkpoint.state.values()} == {dtype}
    (tmp_path / "ours").mkdir()
    HUGGINGFACE.write(checkpoint, tmp_path / "ours")
    again = transformers.AlbertForPreTraining.from_pretrained(tmp_path / "ours")
    assert again.dtype == dtype
    assert_same_state(model.state_dict(), again.state_dict())


def test_shards_and_bin_hold_the_same(transformers: ModuleType, tmp_path: Path) -> None:
    model = random_model(transformers, "AlbertForPreTraining", **TWO_BY_TWO)
    for name in ("single", "sharded", "bin", "old"):
        model.save_pretrained(tmp_path / name, max_shard_size="3KB" if name == "sharded" else "5GB")
    assert len(list((tmp_path / "sharded").glob("model-*.safetensors"))) > 2
    for name in ("bin", "old"):
        (tmp_path / name / "model.safetensors").unlink()
        path = tmp_path / name / "pytorch_model.bin"
        torch.save(model.state_dict(), path, _use_new_zipfile_serialization=name == "bin")
    single = dict(read_checkpoint(tmp_path / "single").state)
    for name in ("sharded", "bin", "old"):
        assert_same_state(single, dict(read_checkpoint(tmp_path / name).state))


def test_labels_and_problem_type_survive(transformers: ModuleType, tmp_path: Path) -> None:
    labels = ("schlecht", "gut", "sehr gut")
    checkpoint = replace(tiny("classifier"), labels=labels, problem_type="multi_label_classification")
    HUGGINGFACE.write(checkpoint, tmp_path)
    model = transformers.AlbertForSequenceClassification.from_pretrained(tmp_path)
    assert model.config.id2label == dict(enumerate(labels))
    assert model.config.label2id == {label: index for index, label in enumerate(labels)}
    assert model.config.problem_type == "multi_label_classification"
    assert model.config.classifier_dropout_prob == 0.07
    reread = read_checkpoint(tmp_path)
    assert (reread.labels, reread.problem_type) == (labels, "multi_label_classification")
    five = transformers.AlbertForSequenceClassification.from_pretrained(
        tmp_path, num_labels=5, ignore_mismatched_sizes=True
    )
    assert five.classifier.weight.shape == (5, 14)


def test_one_output_without_a_problem_type_is_a_regression(transformers: ModuleType, tmp_path: Path) -> None:
    random_model(transformers, "AlbertForSequenceClassification", num_labels=1, id2label=None, label2id=None)
    model = random_model(transformers, "AlbertForSequenceClassification", id2label={0: "LABEL_0"}, label2id=None)
    model.save_pretrained(tmp_path)
    checkpoint = read_checkpoint(tmp_path)
    assert (checkpoint.labels, checkpoint.problem_type) == ((), "regression")
    assert checkpoint.notes == ("the classifier has one output, which transformers trains as a regression",)


def test_deep_heads_and_the_task_stand_beside(transformers: ModuleType, tmp_path: Path) -> None:
    deep = {
        "heads.classifier.hidden.0.weight": torch.randn(30, 14),
        "heads.classifier.hidden.0.bias": torch.randn(30),
        "heads.classifier.output.weight": torch.randn(3, 30),
        "heads.classifier.output.bias": torch.randn(3),
    }
    base = tiny()
    task = {"name": "classification", "labels": ["a", "b", "c"], "max_length": 128}
    (tmp_path / "vocabulary").write_bytes(b"pieces")
    checkpoint = replace(
        base,
        state={**base.state, **deep},
        labels=("a", "b", "c"),
        task=task,
        tokenizer_files={"spiece.model": tmp_path / "vocabulary"},
    )
    folder = tmp_path / "folder"
    folder.mkdir()
    HUGGINGFACE.write(checkpoint, folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "head.safetensors",
        "model.safetensors",
        "spiece.model",
        "task.json",
    ]
    assert json.loads((folder / "task.json").read_text()) == {"format_version": 1, **task}
    assert safetensors.torch.load_file(folder / "head.safetensors").keys() == deep.keys()
    _, report = transformers.AutoModel.from_pretrained(folder, output_loading_info=True)
    empty = {"classifier.weight", "classifier.bias"}
    assert (report.pop("unexpected_keys"), any(report.values())) == (empty, False), report
    reread = read_checkpoint(folder)
    assert_same_state(dict(checkpoint.state), dict(reread.state))
    assert (reread.task, reread.labels) == (task, ("a", "b", "c"))
    assert reread.tokenizer_files == {"spiece.model": folder / "spiece.model"}
    assert reread.tokenizer_files["spiece.model"].read_bytes() == b"pieces"

    HUGGINGFACE.write(base, folder)  # nothing of the older model may be read with the newer one
    assert read_checkpoint(folder).heads == ()
    assert read_checkpoint(folder).task is None


def test_a_folder_can_be_written_over_while_it_is_mapped(tmp_path: Path) -> None:
    first = tiny("classifier")
    HUGGINGFACE.write(first, tmp_path)
    mapped = read_checkpoint(tmp_path)
    HUGGINGFACE.write(replace(mapped, labels=("x", "y", "z")), tmp_path)
    assert_same_state(dict(first.state), dict(mapped.state))
    assert_same_state(dict(first.state), dict(read_checkpoint(tmp_path).state))


def test_views_of_one_memory_are_written_in_full(tmp_path: Path) -> None:
    checkpoint = tiny()
    state = dict(checkpoint.state)
    state["groups.0.layers.0.attention.key.weight"] = state["groups.0.layers.0.attention.query.weight"]
    state["pooler.weight"] = state["pooler.weight"].T
    HUGGINGFACE.write(replace(checkpoint, state=state), tmp_path)
    assert_same_state(state, dict(read_checkpoint(tmp_path).state))


def test_the_format_is_in_the_table() -> None:
    assert FORMATS["huggingface"] is HUGGINGFACE
