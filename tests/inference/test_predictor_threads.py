"""Several threads predict with one network, and each gets what it would get by itself."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
import pytest
from sklearn.exceptions import ConvergenceWarning
from tests.estimators.small import classifier, rows
from tests.tiny import CONFIG, execution, keyword_rows, tiny_network

from albertkit.explaining.gradients import gradient_scores
from albertkit.explaining.reading import read_example
from albertkit.inference import pytorch
from albertkit.inference.predictor import Predictor
from albertkit.models.loaded import Model
from albertkit.models.pretrained import load_model, save_model, with_exits, with_task_head
from albertkit.tasks.exit_rules import ExitRule
from albertkit.text.tokenizer import Tokenizer

TEXTS = [text for text, _ in keyword_rows(24)]
Probabilities = npt.NDArray[np.float64]
Ask = Callable[[str], Probabilities]


@pytest.fixture(autouse=True)
def _threads_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier whose dropout shows wherever it is left on."""
    dropout = {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.3, "classifier_dropout_prob": 0.3}
    model = Model(tiny_network(config=replace(CONFIG, **dropout)), Tokenizer.official(), max_length=64)
    path = tmp_path_factory.mktemp("dropout") / "model"
    save_model(with_exits(with_task_head(model, task="classification", labels=("a", "b"))), path)
    return path


def of_predictor(predictor: Predictor) -> Ask:
    def ask(text: str) -> Probabilities:
        return np.array(list(predictor.predict(text)[0]["probabilities"].values()))

    return ask


def loaded(folder: Path, mode: str) -> Predictor:
    if mode == "Predictor.load":
        return Predictor.load(folder, execution=execution())
    model = load_model(folder)
    if mode == "train":
        model.network.train()
    if mode == "head in training mode":
        model.network.heads["classifier"].train()
    return Predictor(model, execution=execution())


def check(ask: Ask, *, calls: int, threads: int = 2) -> None:
    """Compare what threads get at once with what one gets."""
    wanted = [ask(text) for text in TEXTS]
    worst = [0.0] * threads
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for call in range(calls // threads):
                index = (call * (number + 1)) % len(TEXTS)
                worst[number] = max(worst[number], float(np.abs(ask(TEXTS[index]) - wanted[index]).max()))
        except BaseException as error:
            failed.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failed, failed
    assert max(worst) <= 1e-6


MODES = ["Predictor.load", "load_model", "train", "head in training mode"]


@pytest.mark.parametrize("prepares", [True, False], ids=["prepared", "plain"])
@pytest.mark.parametrize("mode", MODES)
def test_two_threads(mode: str, prepares: bool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not prepares:
        monkeypatch.setattr(pytorch, "can_prepare", lambda *_: False)
    predictor = loaded(folder, mode)
    modes = {name: module.training for name, module in predictor.model.network.named_modules()}
    check(of_predictor(predictor), calls=120)
    assert {name: module.training for name, module in predictor.model.network.named_modules()} == modes


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_two_threads_for_2000_calls(mode: str, folder: Path) -> None:
    check(of_predictor(loaded(folder, mode)), calls=2000)


def test_loading_leaves_evaluation_mode(folder: Path) -> None:
    assert not any(module.training for module in load_model(folder).network.modules())


@pytest.fixture(scope="module")
def fitted() -> Any:
    texts, labels = rows(60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # one epoch, whose training is not the subject
        return classifier(epochs=1).fit(texts, labels)


def test_a_fitted_estimator_in_two_threads(fitted: Any) -> None:
    assert not fitted.predictor_.model.network.training
    check(lambda text: np.asarray(fitted.predict_proba([text])[0]), calls=60)


@pytest.mark.slow
def test_a_fitted_estimator_in_two_threads_for_2000_calls(fitted: Any) -> None:
    check(lambda text: np.asarray(fitted.predict_proba([text])[0]), calls=2000)


@pytest.mark.parametrize("calls", [48, pytest.param(2000, marks=pytest.mark.slow)])
def test_joblib_s_threads(calls: int, fitted: Any) -> None:
    fitted.predictor_.model.network.train()  # as somebody may leave it
    wanted = [fitted.predict_proba([text]) for text in TEXTS]
    found = joblib.Parallel(n_jobs=2, backend="threading")(
        joblib.delayed(fitted.predict_proba)([TEXTS[call % len(TEXTS)]]) for call in range(calls)
    )
    expected = [wanted[call % len(TEXTS)] for call in range(calls)]
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(expected), rtol=0, atol=1e-6)


@pytest.mark.parametrize("prepares", [True, False], ids=["prepared", "plain"])
def test_early_exit_in_two_threads(prepares: bool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not prepares:
        monkeypatch.setattr(pytorch, "can_prepare", lambda *_: False)
    predictor = loaded(folder, "train").early_exit(ExitRule(patience=1))
    check(of_predictor(predictor), calls=60)
    assert predictor.model.network.training


def test_explanations_in_two_threads_keep_their_hooks_apart(folder: Path) -> None:
    pytest.importorskip("captum")
    predictor = loaded(folder, "load_model")
    task = predictor.model.task
    assert task is not None

    def ask(text: str) -> Probabilities:
        reading = read_example(predictor, task.example_of(text, None))  # type: ignore[attr-defined]
        return np.array(gradient_scores(predictor, reading, output=0))

    check(ask, calls=12)
    assert not predictor.model.network.encoder.embeddings.word._forward_hooks
