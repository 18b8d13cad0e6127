"""The span head: transformers' own on random weights, in both directions; its loss; and that it learns."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from tests.tiny import execution, settings, tiny_network

import albertkit
from albertkit.batching.batch import Batch, Sequence
from albertkit.checkpoints import read_checkpoint
from albertkit.checkpoints.huggingface import HUGGINGFACE
from albertkit.datasets import load_dataset
from albertkit.errors import UsageError
from albertkit.inference.pytorch import PyTorchRuntime
from albertkit.models.loaded import Model
from albertkit.models.pretrained import load_model, save_model, with_task_head
from albertkit.tasks.head_spec import HeadSpec
from albertkit.tasks.objective import objective_of
from albertkit.tasks.question_answering import QUESTION_ANSWERING
from albertkit.text.tokenizer import Tokenizer

LENGTHS = (5, 11, 3)


@pytest.fixture(scope="module")
def transformers() -> Iterator[ModuleType]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peer's own deprecations are not ours to repair
        peer = pytest.importorskip("transformers")
        peer.logging.set_verbosity_error()
        peer.logging.disable_progress_bar()
        yield peer


def batch(pieces: int) -> Batch:
    random = np.random.RandomState(5)
    return Batch.pack(
        Sequence(random.randint(5, pieces, length), (np.arange(length) > length // 2).astype(np.int64))
        for length in LENGTHS
    )


def theirs(model: torch.nn.Module, packed: Batch) -> np.ndarray:
    """The logits of the other library for the same tokens, `[tokens, 2]`."""
    padded = {name: torch.from_numpy(array) for name, array in packed.pad().items()}
    with torch.no_grad():
        found = model(**padded)
    rows = torch.stack([found.start_logits, found.end_logits], dim=-1)
    return rows[padded["attention_mask"].bool()].numpy()


def ours(model: Model, packed: Batch) -> np.ndarray:
    runtime = PyTorchRuntime(model.network, execution=execution(), task=model.task)
    return runtime.run(packed, outputs=["logits"])["logits"]


def test_theirs_read_by_us(transformers: ModuleType, tmp_path: Path) -> None:
    torch.manual_seed(17)
    config = transformers.AlbertConfig(
        vocab_size=31,
        embedding_size=5,
        hidden_size=14,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=11,
        max_position_embeddings=13,
    )
    model = transformers.AlbertForQuestionAnswering(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    model.save_pretrained(tmp_path / "theirs")
    checkpoint = read_checkpoint(tmp_path / "theirs")
    (tmp_path / "named").mkdir()
    named = replace(checkpoint, task={"task": "question_answering", "labels": [], "max_length": 13})
    HUGGINGFACE.write(named, tmp_path / "named")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = load_model(tmp_path / "named")
    assert loaded.task is QUESTION_ANSWERING
    packed = batch(31)
    np.testing.assert_allclose(ours(loaded, packed), theirs(model, packed), atol=1e-5, rtol=0)


def test_ours_read_by_them(transformers: ModuleType, tmp_path: Path) -> None:
    model = with_task_head(Model(tiny_network(), Tokenizer.official()), task="question_answering", labels=())
    torch.nn.init.normal_(model.network.heads["span"].bias)  # type: ignore[arg-type]
    save_model(model, tmp_path / "model")
    peer = transformers.AlbertForQuestionAnswering.from_pretrained(tmp_path / "model").eval()
    packed = batch(30000)
    wanted = theirs(peer, packed)
    np.testing.assert_allclose(ours(model, packed), wanted, atol=1e-5, rtol=0)
    np.testing.assert_array_equal(ours(load_model(tmp_path / "model"), packed), ours(model, packed))


def test_the_loss_is_that_of_each_window_alone() -> None:
    torch.manual_seed(1)
    objective = objective_of(QUESTION_ANSWERING)
    rows = torch.randn(sum(LENGTHS), 2, requires_grad=True)
    targets = torch.tensor([[4, 4], [0, 0], [1, 2]])
    found = objective.losses_of(rows, lengths=np.array(LENGTHS), counts=np.ones(3, np.int64), targets=targets)
    wanted = []
    for part, (start, end) in zip(rows.split(LENGTHS), targets, strict=True):
        logs = part.log_softmax(0)
        wanted.append(-(logs[start, 0] + logs[end, 1]) / 2)
    torch.testing.assert_close(found, torch.stack(wanted))
    (gradient,) = torch.autograd.grad(found.sum(), rows, retain_graph=True)
    torch.testing.assert_close(gradient, torch.autograd.grad(torch.stack(wanted).sum(), rows)[0])


def test_a_deep_head_is_refused() -> None:
    objective = objective_of(QUESTION_ANSWERING)
    config = tiny_network().config
    for shape in ({"hidden": (8,)}, {"norm": "batch"}):
        with pytest.raises(UsageError, match="the head of question answering is fixed"):
            objective.build(config, 2, HeadSpec(**shape))  # type: ignore[arg-type]


QUESTIONS = [
    ("Ann", "red house"), ("Bob", "old mill"), ("Carla", "green tower"), ("David", "small boat"),
    ("Emma", "long bridge"), ("Frank", "white church"), ("Grace", "dark forest"), ("Henry", "stone castle"),
]  # fmt: skip


def squad_file(path: Path) -> Path:
    """Eight questions in SQuAD's layout; each context tells of two people, so the question has to be read."""
    paragraphs = []
    for number, (name, place) in enumerate(QUESTIONS):
        other, elsewhere = QUESTIONS[(number + 3) % len(QUESTIONS)]
        told = [f"{name} lives in the {place}.", f"{other} lives in the {elsewhere}."]
        context = " ".join(told if number % 2 else told[::-1])
        row = {
            "id": f"q{number}",
            "question": f"Where does {name} live?",
            "answers": [{"text": place, "answer_start": context.index(place)}],
        }
        paragraphs.append({"context": context, "qas": [row]})
    path.write_text(json.dumps({"version": "1.1", "data": [{"title": "Places", "paragraphs": paragraphs}]}))
    return path


@pytest.mark.learning
def test_a_tiny_network_learns_questions(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for split in ("train", "dev", "test"):
        squad_file(folder / f"{split}.json")
    run = tmp_path / "run"
    chosen = settings(
        folder, run, task="question_answering", epochs=150, batch_size=8, learning_rate=1e-2, max_length=48
    )
    report = albertkit.finetune(chosen)
    assert report.metrics["exact"] == 100.0
    assert report.metrics["f1"] == 100.0

    predictor = albertkit.load(run)
    examples = load_dataset(folder, split="test", task="question_answering").examples
    rows = predictor.predict_examples(examples)
    assert [row["answer"] for row in rows] == [place for _, place in QUESTIONS]
    for example, row in zip(examples, rows, strict=True):
        assert example.context[row["start"] : row["end"]] == row["answer"]
        assert row["probability"] == pytest.approx(row["n_best"][0]["probability"])
