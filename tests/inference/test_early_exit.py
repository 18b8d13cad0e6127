"""Texts that leave a packed batch get what they would get by themselves, which is what the paper's own loop gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tiny import CONFIG, execution, keyword_rows, tiny_network

from albertkit.batching.batch import Batch
from albertkit.config import HEAD_POOLINGS
from albertkit.errors import UsageError
from albertkit.inference import early_exit, pytorch
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import run_outputs
from albertkit.models.loaded import HeadSpec, Model
from albertkit.models.pretrained import load_model, save_model, with_exits, with_task_head
from albertkit.tasks.exit_rules import ExitRule
from albertkit.text.tokenizer import Tokenizer

DEEP = replace(CONFIG, num_hidden_layers=6, num_hidden_groups=2, inner_group_num=2)
TEXTS = [text for text, _ in keyword_rows(23)]


def with_heads(*, pooling: str = "pooler", task: str = "classification", exits: bool = True) -> Model:
    """A model whose random heads are at odds, so that texts leave after different layers."""
    labels = ("bad", "good", "so so") if task == "classification" else ()
    base = Model(tiny_network(config=DEEP), Tokenizer.official(), max_length=64, source="deep")
    model = with_task_head(base, task=task, labels=labels, head=HeadSpec((), "none", pooling), seed=4)
    model = with_exits(model, seed=5) if exits else model
    random = np.random.default_rng(6)  # the same numbers with every version of PyTorch
    with torch.no_grad():
        for parameter in model.network.heads.parameters():
            parameter.copy_(torch.from_numpy(random.normal(scale=0.5, size=parameter.shape)))
    return replace(model, notes=())


def sequences_of(predictor: Predictor) -> list[Any]:
    task = predictor.model.task
    assert task is not None
    pair = "so so" if predictor.model.head.pooling == "pair" else None
    return predictor.encode([task.example_of(text, pair) for text in TEXTS]).sequences


def logits_of(predictor: Predictor, sequences: list[Any], *, batch_tokens: int = 4096) -> np.ndarray[Any, Any]:
    return np.stack(run_outputs(predictor.runtime, sequences, batch_tokens=batch_tokens))


@pytest.mark.parametrize("pooling", HEAD_POOLINGS)
@pytest.mark.parametrize("prepared", [True, False])
def test_leaving_a_batch_is_leaving_alone(pooling: str, prepared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not prepared:
        monkeypatch.setattr(pytorch, "can_prepare", lambda *_: False)
    predictor = Predictor(with_heads(pooling=pooling), execution=execution())
    sequences = sequences_of(predictor)
    left = np.zeros(6, np.int64)
    for rule in (ExitRule(patience=1), ExitRule(entropy=0.4)):
        together, alone = predictor.early_exit(rule), predictor.early_exit(rule)
        rows = logits_of(together, sequences)
        single = np.concatenate(
            [alone.runtime.run(Batch.pack([one]), outputs=["logits"])["logits"] for one in sequences]
        )
        np.testing.assert_allclose(rows, single, atol=2e-5)
        assert together.runtime.layers.tolist() == alone.runtime.layers.tolist()  # type: ignore[attr-defined]
        left += together.runtime.layers  # type: ignore[attr-defined]
    assert (left > 0).sum() >= 2


@pytest.mark.parametrize("pooling", HEAD_POOLINGS)
def test_patience_of_all_layers_is_full_depth(pooling: str) -> None:
    predictor = Predictor(with_heads(pooling=pooling), execution=execution())
    sequences = sequences_of(predictor)
    whole = logits_of(predictor, sequences)
    for patience in (5, 6, 99):
        patient = predictor.early_exit(ExitRule(patience=patience))
        np.testing.assert_allclose(logits_of(patient, sequences), whole, atol=2e-5)
        assert patient.runtime.mean_layers == 6  # type: ignore[attr-defined]


def test_parts_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor(with_heads(), execution=execution())
    sequences = sequences_of(predictor)
    rule = ExitRule(patience=1)
    rows = logits_of(predictor.early_exit(rule), sequences)
    monkeypatch.setattr(early_exit, "_PART_TOKENS", 40)
    np.testing.assert_allclose(logits_of(predictor.early_exit(rule), sequences), rows, atol=2e-5)
    two = Predictor(predictor.model, execution=replace(execution(), threads=2))
    np.testing.assert_allclose(logits_of(two.early_exit(rule), sequences, batch_tokens=300), rows, atol=2e-5)


def of_the_paper(model: Model, folder: Path, sequences: list[Any], *, patience: int) -> tuple[Any, list[int]]:
    """Transformers' encoder and, one text at a time, the loop of the paper's code (`modeling_albert.py`, PABEE)."""
    transformers = pytest.importorskip("transformers")
    save_model(model, folder)
    peer = transformers.AlbertModel.from_pretrained(folder).eval()
    exits = [*model.network.heads["exits"], model.network.heads["classifier"]]  # type: ignore[misc]
    rows, layers = [], []
    for one in sequences:
        with torch.no_grad():
            states = peer(
                input_ids=torch.from_numpy(one.input_ids)[None],
                token_type_ids=torch.from_numpy(one.token_type_ids)[None],
                output_hidden_states=True,
            ).hidden_states[2::2]  # it also gives those between the two layers of a group
            counter, before = 0, None
            for layer, hidden in enumerate(states, start=1):
                logits = exits[layer - 1].eval()(torch.tanh(peer.pooler(hidden[:, 0])))
                same = before is not None and bool(logits.argmax() == before.argmax())
                counter = counter + 1 if same else 0
                before = logits
                if counter == patience:
                    break
        rows.append(logits[0].numpy())
        layers.append(layer)
    return np.stack(rows), layers


@pytest.mark.parametrize("patience", [1, 2])
def test_it_is_the_papers_loop(patience: int, tmp_path: Path) -> None:
    model = with_heads()
    predictor = Predictor(model, execution=execution()).early_exit(ExitRule(patience=patience))
    sequences = sequences_of(predictor)
    wanted, layers = of_the_paper(model, tmp_path / "model", sequences, patience=patience)
    np.testing.assert_allclose(logits_of(predictor, sequences), wanted, atol=5e-5)
    assert predictor.runtime.layers.tolist() == np.bincount(layers, minlength=7)[1:].tolist()  # type: ignore[attr-defined]
    assert len(set(layers)) > 1


def test_a_regression_leaves_by_tolerance() -> None:
    predictor = Predictor(with_heads(task="regression"), execution=execution())
    sequences = sequences_of(predictor)
    whole = logits_of(predictor, sequences)
    near = predictor.early_exit(ExitRule(patience=1, tolerance=0.5))
    assert logits_of(near, sequences).shape == whole.shape
    assert 1 < near.runtime.mean_layers < 6  # type: ignore[attr-defined]
    never = predictor.early_exit(ExitRule(patience=1, tolerance=1e-9))
    np.testing.assert_allclose(logits_of(never, sequences), whole, atol=2e-5)


def test_other_outputs_are_of_full_depth() -> None:
    predictor = Predictor(with_heads(), execution=execution())
    early = predictor.early_exit(ExitRule(patience=1))
    np.testing.assert_allclose(early.embed(TEXTS[:7]), predictor.embed(TEXTS[:7]), atol=1e-6)


def test_exits_are_saved_and_read_back(tmp_path: Path) -> None:
    model = with_heads()
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.notes == ()
    for name, tensor in model.network.canonical_state().items():
        assert torch.equal(tensor, again.network.canonical_state()[name]), name
    transformers = pytest.importorskip("transformers")
    peer = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    assert torch.equal(peer.classifier.weight, model.network.heads["classifier"].weight)


def test_without_exits_it_says_how_to_get_them() -> None:
    predictor = Predictor(with_heads(exits=False), execution=execution())
    with pytest.raises(UsageError, match="deep has no early exits: fine-tune it with --exits"):
        predictor.early_exit(ExitRule(patience=2))


def test_exits_are_for_heads_on_whole_texts() -> None:
    base = Model(tiny_network(), Tokenizer.official(), source="tiny")
    with pytest.raises(UsageError, match="early exits work for classification, regression and multilabel"):
        with_exits(with_task_head(base, task="token_classification", labels=("O", "B-X")))


def test_a_batch_that_the_tables_cannot_take_is_refused() -> None:
    early = Predictor(with_heads(), execution=execution()).early_exit(ExitRule(patience=1))
    with pytest.raises(UsageError, match="the batch is empty"):
        early.runtime.run(Batch.pack([]), outputs=["logits"])
