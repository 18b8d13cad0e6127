"""The head of tags: transformers' numbers, torch's loss; a tiny network learns made-up sentences."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.tiny import CONFIG, execution, settings

from albertkit.batching.batch import Batch
from albertkit.config import AlbertConfig
from albertkit.errors import UsageError
from albertkit.inference.predictor import Predictor
from albertkit.inference.pytorch import PyTorchRuntime
from albertkit.models.pretrained import load_model
from albertkit.tasks import TASKS
from albertkit.tasks.head_spec import HeadSpec
from albertkit.tasks.token_classification.head import TAGS
from albertkit.text.tokenizer import Tokenizer
from albertkit.training.finetune import finetune

PEOPLE = ("Ada Byron", "Grace Hopper", "Emmy Noether")
CITIES = ("London", "New York", "Bonn")


@pytest.fixture(scope="module")
def transformers() -> Iterator[ModuleType]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peer's own deprecations are not ours to repair
        peer = pytest.importorskip("transformers")
        peer.logging.set_verbosity_error()
        peer.logging.disable_progress_bar()
        yield peer


def theirs(peer: ModuleType, folder: Path) -> Any:
    """A model of transformers in a folder, every parameter random, with the official tokenizer."""
    torch.manual_seed(17)
    sizes = {key: getattr(CONFIG, key) for key in ("vocab_size", "embedding_size", "hidden_size", "num_hidden_layers")}
    sizes |= {key: getattr(CONFIG, key) for key in ("num_attention_heads", "intermediate_size")}
    names = ("O", "B-PER", "I-PER")
    config = peer.AlbertConfig(
        **sizes,
        max_position_embeddings=64,
        hidden_act="gelu",
        id2label=dict(enumerate(names)),
        label2id={name: number for number, name in enumerate(names)},
    )
    model = peer.AlbertForTokenClassification(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    model.save_pretrained(folder)
    Tokenizer.official().save(folder)
    return model


def test_logits_and_loss_are_transformers(transformers: ModuleType, tmp_path: Path) -> None:
    peer = theirs(transformers, tmp_path)
    model = load_model(tmp_path)
    assert model.task is TASKS["token_classification"]
    assert model.labels == ("O", "B-PER", "I-PER")
    batch = model.tokenizer(["Ada Byron went to New York", "unbelievably, no", "x"])
    padded = {name: torch.from_numpy(array) for name, array in batch.pad().items()}
    mask = padded["attention_mask"].bool()
    targets = torch.randint(3, mask.shape, generator=torch.Generator().manual_seed(3)).masked_fill(~mask, -100)
    targets[0, 2:4] = -100
    with torch.no_grad():
        wanted = peer(**padded, labels=targets)
    runtime = PyTorchRuntime(model.network, execution=execution(), task=model.task)
    logits = torch.from_numpy(runtime.run(batch, outputs=["logits"])["logits"])
    torch.testing.assert_close(logits, wanted.logits[mask], atol=1e-5, rtol=0)
    # Theirs is the mean over all labelled tokens of the batch, ours that of each text.
    losses = TAGS.losses_of(logits, lengths=batch.lengths, counts=np.ones(3, np.int64), targets=targets[mask])
    shares = (targets != -100).sum(dim=1)
    torch.testing.assert_close((losses * shares).sum() / shares.sum(), wanted.loss, atol=1e-5, rtol=0)


def test_losses_of_windows_are_torch_s() -> None:
    torch.manual_seed(5)
    lengths, rows = np.array([3, 2, 5, 1]), torch.randn(11, 3)
    targets = torch.tensor([0, -100, 2, -100, -100, -100, 1, 1, 0, 2, -100])
    found = TAGS.losses_of(rows, lengths=lengths, counts=np.ones(4, np.int64), targets=targets)
    for number, (start, end) in enumerate([(0, 3), (3, 5), (5, 10), (10, 11)]):
        has_any = bool((targets[start:end] >= 0).any())
        wanted = F.cross_entropy(rows[start:end], targets[start:end]) if has_any else torch.tensor(0.0)
        torch.testing.assert_close(found[number], wanted)
    together = TAGS.losses_of(rows, lengths=lengths, counts=np.array([2, 2]), targets=targets)
    torch.testing.assert_close(together[1], F.cross_entropy(rows[5:], targets[5:]))


def test_a_head_is_linear_and_drops_out_as_the_configuration_says() -> None:
    config = AlbertConfig(hidden_size=16, num_attention_heads=2, classifier_dropout_prob=0.5)
    head = TAGS.build(config, 3)
    assert {name: tuple(tensor.shape) for name, tensor in head.state_dict().items()} == {
        "weight": (3, 16),
        "bias": (3,),
    }
    states = torch.ones(97, 16)
    torch.manual_seed(0)
    assert len(TAGS.outputs(head.train(), states, lengths=np.array([97])).unique(dim=0)) > 50
    assert len(TAGS.outputs(head.eval(), states, lengths=np.array([97])).unique(dim=0)) == 1
    for shape in ({"hidden": (8,)}, {"norm": "batch"}):
        with pytest.raises(UsageError, match="the head of tags is linear; leave --head-hidden"):
            TAGS.build(config, 3, HeadSpec(**shape))


@pytest.mark.learning
def test_a_tiny_network_learns_sentences(transformers: ModuleType, tmp_path: Path) -> None:
    rows = []
    for number in range(8):
        person, city = PEOPLE[number % 3], CITIES[number // 3]
        text = f"{person} went to {city}." if number % 2 else f"In {city}, they met {person} twice."
        spans = [
            {"start": text.index(name), "end": text.index(name) + len(name), "label": label}
            for name, label in ((person, "PER"), (city, "LOC"))
        ]
        rows.append({"text": text, "spans": spans})
    folder = tmp_path / "data"
    folder.mkdir()
    for split in ("train", "dev", "test"):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "run"
    chosen = settings(folder, out, task="token_classification", epochs=150, batch_size=8, learning_rate=1e-2)
    report = finetune(chosen)
    assert report.task == "token_classification"
    assert report.metrics["f1"] == 100.0
    assert report.metrics["accuracy"] == 100.0

    predictor = Predictor.load(out, execution=execution())
    example = TASKS["token_classification"].example_of(str(rows[1]["text"]))
    (found,) = predictor.predict_examples([example])
    assert [(entity["type"], entity["text"]) for entity in found["entities"]] == [
        ("PER", "Grace Hopper"),
        ("LOC", "London"),
    ]
    assert all(0.3 < entity["probability"] <= 1 for entity in found["entities"])

    model, tokenizer = predictor.model, predictor.model.tokenizer
    peer = transformers.AutoModelForTokenClassification.from_pretrained(out / "model").eval()
    batch: Batch = tokenizer([example.text])
    with torch.no_grad():
        wanted = peer(**{name: torch.from_numpy(array) for name, array in batch.pad().items()}).logits[0]
    ours = predictor.runtime.run(batch, outputs=["logits"])["logits"]
    np.testing.assert_allclose(ours, wanted.numpy(), atol=5e-5)
    assert tuple(peer.config.id2label.values()) == model.labels
