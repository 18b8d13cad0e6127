"""From a name or path to a model and back; transformers reads what we save, with equal logits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.tiny import CONFIG, assert_same_state, execution, tiny_folder, tiny_network

import albertkit
from albertkit.data.examples import TextExample
from albertkit.errors import CheckpointError, UsageError
from albertkit.hub.consent import DownloadError
from albertkit.inference.predictor import Predictor
from albertkit.inference.pretraining_predictor import fill_masks
from albertkit.models.conversion import convert
from albertkit.models.loaded import HeadSpec, Model
from albertkit.models.model_files import model_path
from albertkit.models.pretrained import fresh_model, load_encoder, load_model, save_model, with_task_head
from albertkit.text.tokenizer import Tokenizer

TEXTS = ["a fine film", 'two hours of "nothing", caf\u00e9 (1999)', "x"]


def trained(task: str = "classification", head: HeadSpec | None = None) -> Model:
    """A model whose head has weights that fine-tuning could have left."""
    labels = () if task == "regression" else ("bad", "good", "odd")
    model = with_task_head(load_model(tiny_folder()), task=task, labels=labels, head=head, seed=3)
    torch.manual_seed(1)
    with torch.no_grad():
        for tensor in model.network.heads.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.1, 1.0)
    return model


def logits(model: Model) -> np.ndarray:
    return Predictor(model, execution=execution()).logits([TextExample(text) for text in TEXTS])


HEADS = {
    "linear": HeadSpec(),
    "deep": HeadSpec((7, 5)),
    "batch norm": HeadSpec((7,), "batch"),
    "linear on the mean": HeadSpec(pooling="mean"),
    "deep on the first token": HeadSpec((7,), pooling="cls"),
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("task", ["classification", "regression", "multilabel"])
def test_saved_and_loaded_is_equal(task: str, head: str, tmp_path: Path) -> None:
    model = trained(task, HEADS[head])
    model.max_length = 33
    save_model(model, tmp_path / "m", facts={"data": "toy"})
    again = load_model(tmp_path / "m")
    assert again.task is model.task
    assert (again.labels, again.head, again.max_length) == (model.labels, model.head, 33)
    assert again.notes == ()
    assert_same_state(again.network.state_dict(), model.network.state_dict())
    # The same bits lie elsewhere in memory, where a processor may add them up in another order.
    np.testing.assert_allclose(logits(again), logits(model), rtol=0, atol=1e-6)
    task_json = json.loads((tmp_path / "m" / "task.json").read_text())
    assert (task_json["format_version"], task_json["data"]) == (1, "toy")


@pytest.mark.parametrize("task", ["classification", "regression", "multilabel"])
def test_transformers_reads_a_linear_head_with_equal_logits(task: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = trained(task)
    save_model(model, tmp_path / "m")
    peer, info = transformers.AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "m", output_loading_info=True
    )
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    tokens = transformers.AutoTokenizer.from_pretrained(tmp_path / "m")(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        found = peer.eval()(**tokens).logits.numpy()
    np.testing.assert_allclose(found, logits(model), atol=1e-5)
    assert tuple(peer.config.id2label.values())[: len(model.labels)] == model.labels
    assert peer.config.problem_type == model.task.problem_type  # type: ignore[union-attr]


def test_transformers_reads_the_encoder_under_a_deep_head(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = trained(head=HeadSpec((7,), "batch"))
    save_model(model, tmp_path / "m")
    peer = transformers.AutoModel.from_pretrained(tmp_path / "m").eval()
    assert type(peer).__name__ == "AlbertModel"
    batch = model.tokenizer(TEXTS)
    padded = {name: torch.from_numpy(array) for name, array in batch.pad().items()}
    with torch.inference_mode():
        np.testing.assert_allclose(
            peer(**padded).pooler_output.numpy(), model.network.eval()(batch).pooled_output.numpy(), atol=1e-5
        )


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_transformers_gives_what_a_head_with_another_pooling_reads(pooling: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    safetensors = pytest.importorskip("safetensors.numpy")
    model = trained(head=HeadSpec(pooling=pooling))
    save_model(model, tmp_path / "m")
    assert json.loads((tmp_path / "m" / "config.json").read_text())["architectures"] == ["AlbertModel"]
    assert json.loads((tmp_path / "m" / "task.json").read_text())["head"]["pooling"] == pooling
    peer, info = transformers.AutoModel.from_pretrained(tmp_path / "m", output_loading_info=True)
    assert type(peer).__name__ == "AlbertModel"
    assert not info["missing_keys"]
    assert set(info["unexpected_keys"]) == {"classifier.weight", "classifier.bias"}  # empty, see the next test
    tokens = transformers.AutoTokenizer.from_pretrained(tmp_path / "m")(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = peer.eval()(**tokens).last_hidden_state.numpy()
    mask = tokens["attention_mask"].numpy()[:, :, None]
    features = hidden[:, 0] if pooling == "cls" else (hidden * mask).sum(1) / mask.sum(1)
    head = safetensors.load_file(tmp_path / "m" / "head.safetensors")
    assert set(head) == {"heads.classifier.weight", "heads.classifier.bias"}
    by_hand = features @ head["heads.classifier.weight"].T + head["heads.classifier.bias"]
    np.testing.assert_allclose(by_hand, logits(model), atol=1e-5)


@pytest.mark.parametrize(
    ("task", "head", "classes"),
    [
        ("classification", HeadSpec(pooling="mean"), ("AutoModelForSequenceClassification",)),
        ("classification", HeadSpec(pooling="cls"), ("AlbertForSequenceClassification",)),
        ("regression", HeadSpec((7,)), ("AlbertForSequenceClassification", "AutoModelForSequenceClassification")),
        ("question_answering_v2", HeadSpec(), ("AutoModelForQuestionAnswering", "AlbertForQuestionAnswering")),
    ],
)
def test_transformers_refuses_a_class_whose_head_it_would_fill_at_random(
    task: str, head: HeadSpec, classes: tuple[str, ...], tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    labels = ("a", "b") if task == "classification" else ()
    model = with_task_head(Model(tiny_network(), Tokenizer.official()), task=task, labels=labels, head=head)
    save_model(model, tmp_path / "m")
    for name in classes:
        with pytest.raises(RuntimeError, match="mismatched_sizes"):
            getattr(transformers, name).from_pretrained(tmp_path / "m")
    convert(tmp_path / "m", tmp_path / "again")
    again = load_model(tmp_path / "again")
    assert again.network.canonical_state().keys() == model.network.canonical_state().keys()
    path = tmp_path / "m" / "model.safetensors"  # a folder that was saved before has no empty tensors
    tensors = {name: tensor for name, tensor in load_file(path).items() if tensor.numel()}
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, path, metadata={"format": "pt"})
    assert load_model(tmp_path / "m").notes == ()


def test_a_folder_that_names_no_pooling_reads_the_pooler(tmp_path: Path) -> None:
    model = trained()
    save_model(model, tmp_path / "m")
    path = tmp_path / "m" / "task.json"
    task = json.loads(path.read_text())
    assert task["head"].pop("pooling") == "pooler"
    path.write_text(json.dumps(task))
    again = load_model(tmp_path / "m")
    assert again.head == HeadSpec()
    np.testing.assert_array_equal(logits(again), logits(model))


def test_a_fresh_head_says_what_it_reads() -> None:
    base = load_model(tiny_folder())
    with_pooling = with_task_head(base, task="classification", labels=("a", "b"), head=HeadSpec(pooling="mean"))
    assert "Adding a new, untrained classification layer (2 labels)." in with_pooling.notes[-1]
    with pytest.raises(UsageError, match=r'unknown pooling "max" \(known: pooler, cls, mean, pair\)'):
        HeadSpec(pooling="max")


def test_a_folder_by_transformers_comes_in(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.AlbertConfig(**CONFIG.to_dict(), num_labels=3, id2label={0: "a", 1: "b", 2: "c"})
    peer = transformers.AlbertForSequenceClassification(config).eval()
    peer.save_pretrained(tmp_path / "m")
    model = load_model(tmp_path / "m")
    assert model.task is not None
    assert (model.task.name, model.labels) == ("classification", ("a", "b", "c"))
    assert "holds no spiece.model; the official English vocabulary is used" in " ".join(model.notes)
    padded = {name: torch.from_numpy(array) for name, array in model.tokenizer(TEXTS).pad().items()}
    with torch.inference_mode():
        np.testing.assert_allclose(peer(**padded).logits.numpy(), logits(model), atol=1e-5)


def test_pretraining_heads_survive(tmp_path: Path) -> None:
    from albertkit.encoder.encoder import Encoder
    from albertkit.tasks.network import Network, pretraining_heads

    network = Network(Encoder(CONFIG), pretraining_heads(CONFIG, ("mlm", "sop")))
    save_model(Model(network, load_model(tiny_folder()).tokenizer), tmp_path / "m")
    again = load_model(tmp_path / "m")
    assert sorted(again.network.heads) == ["mlm", "sop"]
    for name, tensor in network.canonical_state().items():
        torch.testing.assert_close(again.network.canonical_state()[name], tensor, rtol=0, atol=0)
    task = with_task_head(again, task="classification", labels=("a", "b"))
    assert list(task.network.heads) == ["classifier"]
    assert task.network.encoder is again.network.encoder
    assert "Adding a new, untrained classification layer (2 labels)." in task.notes[-1]


def test_a_run_directory_means_its_model(tmp_path: Path) -> None:
    save_model(trained(), tmp_path / "run" / "model")
    assert model_path(tmp_path / "run") == tmp_path / "run" / "model"
    assert load_model(tmp_path / "run").labels == ("bad", "good", "odd")
    assert albertkit.load_tokenizer(tmp_path / "run").vocab_size == 30000
    assert model_path("albert-nano") is None


def test_a_fresh_head_is_by_seed_and_leaves_the_generator_alone() -> None:
    base = load_model(tiny_folder())
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, same, other = (
        with_task_head(base, task="classification", labels=("a", "b"), seed=seed).network.heads["classifier"].weight
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)  # type: ignore[arg-type]
    assert not torch.equal(one, other)  # type: ignore[arg-type]
    assert torch.equal(before, torch.random.get_rng_state())


def test_fresh_weights_are_by_seed_and_leave_the_generator_alone() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (fresh_model(CONFIG, seed=seed, heads=("mlm",)) for seed in (1, 1, 2))
    weights = [model.network.encoder.pooler.weight for model in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert set(one.network.heads) == {"mlm"}
    assert torch.equal(before, torch.random.get_rng_state())
    with pytest.raises(UsageError, match="21128 pieces, the official vocabulary 30000"):
        fresh_model("albert-base-zh")


def test_nano_comes_with_trained_weights_and_both_heads() -> None:
    model = load_model("albert-nano")
    assert model.notes == ()
    assert set(model.network.heads) == {"mlm", "sop"}
    assert all(tensor.dtype is torch.float32 for tensor in model.network.canonical_state().values())
    [first, *_] = fill_masks(Predictor(model), "The king and the [MASK] lived in a castle.", top=5)
    found = {candidate.piece.lstrip("\u2581") for candidate in first.candidates}
    assert found & {"queen", "prince", "king", "princess"}


def test_half_precision_on_disk_is_read_back_as_full(tmp_path: Path) -> None:
    model = load_model(tiny_folder())
    for dtype in (torch.float32, torch.float16):
        save_model(model, tmp_path / str(dtype), dtype=dtype)
    full, half = (tmp_path / str(dtype) / "model.safetensors" for dtype in (torch.float32, torch.float16))
    assert half.stat().st_size < 0.55 * full.stat().st_size
    again = load_model(half.parent).network.canonical_state()
    for name, tensor in model.network.canonical_state().items():
        assert again[name].dtype is torch.float32
        torch.testing.assert_close(again[name], tensor, rtol=1e-3, atol=1e-6)


def test_the_encoder_stands_in_a_user_s_own_network() -> None:
    encoder = load_encoder(tiny_folder(), trainable=False, pooled_only=True)
    network = torch.nn.Sequential(encoder, torch.nn.Linear(16, 2))
    batch = albertkit.load_tokenizer(tiny_folder())(TEXTS)
    network(batch).sum().backward()
    assert all(parameter.grad is None for parameter in encoder.parameters())
    assert not encoder.training
    trainable = load_encoder(tiny_folder(), pooled_only=True)
    trainable(batch).sum().backward()
    assert trainable.training
    assert trainable.embeddings.word.weight.grad is not None


def test_names_and_paths_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r'No model "albert-nanno": not a path, .* did you mean "albert-nano"'):
        load_model("albert-nanno")
    with pytest.raises(
        DownloadError, match=r"albert-base-v2 is not on this machine .* albertkit download albert-base-v2"
    ):
        load_model("albert-base-v2")
    with pytest.raises(CheckpointError, match="this folder is not a model"):
        load_model(tmp_path)


def test_folders_that_disagree_with_themselves(tmp_path: Path) -> None:
    save_model(trained(head=HeadSpec((7,), "batch")), tmp_path / "m")
    path = tmp_path / "m" / "task.json"
    task = json.loads(path.read_text())
    for changes, words in (
        ({"head": {"hidden": [5], "norm": "batch"}}, r"task.json and the tensors disagree on heads.classifier.hidden"),
        ({"head": {"hidden": [7], "norm": "none"}}, "disagree on heads.classifier.hidden.0.2"),
        ({"head": {"pooling": "max"}}, r'm: task.json names the pooling "max", which is not known .*pooler, cls, mean'),
        ({"task": "clasification"}, 'task.json names the task "clasification", which is not known here'),
        ({"format_version": 99}, "has format version 99, this albertkit reads up to 1"),
    ):
        path.write_text(json.dumps({**task, **changes}))
        with pytest.raises(CheckpointError, match=words):
            load_model(tmp_path / "m")
    (tmp_path / "m" / "head.safetensors").unlink()
    path.write_text(json.dumps(task))
    with pytest.raises(CheckpointError, match=r"heads.classifier"):
        load_model(tmp_path / "m")


def test_a_corrupt_file_is_named(tmp_path: Path) -> None:
    shutil.copytree(tiny_folder(), tmp_path / "m")
    weights = tmp_path / "m" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"model.safetensors: cannot be read as tensors"):
        load_model(tmp_path / "m")


def test_fresh_weights_are_what_was_saved(tmp_path: Path) -> None:
    save_model(Model(tiny_network(), Tokenizer.official()), tmp_path / "m")
    assert_same_state(load_model(tmp_path / "m").network.canonical_state(), tiny_network().canonical_state())


def test_a_model_of_few_positions_predicts_after_loading(tmp_path: Path) -> None:
    model = with_task_head(Model(tiny_network(), Tokenizer.official()), task="regression", labels=())
    save_model(model, tmp_path / "m")
    again = load_model(tmp_path / "m")
    assert again.max_length == CONFIG.max_position_embeddings == 64
    path = tmp_path / "m" / "task.json"  # as folders say that were saved before
    path.write_text(json.dumps({**json.loads(path.read_text()), "max_length": 512}))
    assert len(Predictor.load(tmp_path / "m", execution=execution()).predict(["word " * 500])) == 1


def test_labels_that_two_files_name_differently(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    save_model(with_task_head(load_model(tiny_folder()), task="classification", labels=("no", "yes")), folder)
    for file, key, value in (("config.json", "id2label", {"0": "yes", "1": "no"}), ("task.json", "labels", ["a", "b"])):
        path = folder / file
        kept = path.read_text()
        path.write_text(json.dumps({**json.loads(kept), key: value}))
        with pytest.raises(CheckpointError, match=r"m: task.json names the labels .*, and config.json \(id2label\) "):
            load_model(folder)
        path.write_text(kept)
    path = folder / "config.json"
    for unnamed in ({"id2label": None}, {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}):
        path.write_text(json.dumps({**json.loads(path.read_text()), **unnamed}))
        assert load_model(folder).labels == ("no", "yes")


def test_a_network_without_numbers_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='the network is on the device "meta"'):
        save_model(load_model(tiny_folder(), device="meta"), tmp_path / "m")
    assert not list(tmp_path.iterdir())
