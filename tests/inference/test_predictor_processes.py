"""A predictor in other processes: forked from this one, or started with its pickle."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from tests.tiny import CONFIG, execution, keyword_rows, tiny_network

from albertkit.errors import CheckpointError
from albertkit.hardware.device import Execution
from albertkit.inference.predictor import Predictor
from albertkit.models.loaded import Model
from albertkit.models.pretrained import load_model, save_model, with_exits, with_task_head
from albertkit.tasks.exit_rules import ExitRule
from albertkit.text.tokenizer import Tokenizer

TEXTS = [text for text, _ in keyword_rows(9)]

# What a server does that loads before it forks its workers. The widths are those from which torch shares one operation
# out between threads. A script of its own, since this process may have other threads.
FORK = """
import os, signal, sys, time, warnings
import numpy as np
import torch
from albertkit.hardware.device import Execution, choose_execution
from albertkit.inference.predictor import Predictor

warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, of every fork while there are threads
torch.set_num_threads(2)
predictor = Predictor.load(sys.argv[1], execution=Execution("cpu", "fp32", 2))
texts = ["a long text about very little " * 8] * 16
wanted = predictor.logits([predictor.model.task.example_of(text, None) for text in texts])
torch.ones(1 << 20).add(1).sum()
child = os.fork()
if child == 0:
    signal.alarm(30)  # never left behind
    found = predictor.logits([predictor.model.task.example_of(text, None) for text in texts])
    torch.ones(1 << 20).add(1).sum()
    again = Predictor.load(sys.argv[1], execution=choose_execution(device="cpu", precision="fp32", threads=2))
    once = again.logits([predictor.model.task.example_of(texts[0], None)])
    same = np.allclose(found, wanted, rtol=0, atol=1e-5) and np.allclose(once, wanted[:1], rtol=0, atol=1e-5)
    os._exit(0 if same and torch.get_num_threads() == 1 else 1)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert torch.get_num_threads() == 2
sys.exit({0: "the child predicts", 1: "the child predicts something else"}.get(status, f"the child hangs ({status})"))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = replace(CONFIG, hidden_size=256, intermediate_size=512, num_attention_heads=4)
    model = Model(tiny_network(config=config), Tokenizer.official(), max_length=64)
    path = tmp_path_factory.mktemp("wide") / "model"
    save_model(with_exits(with_task_head(model, task="classification", labels=("a", "b"))), path)
    return path


@pytest.fixture
def predictor(folder: Path) -> Predictor:
    return Predictor(load_model(folder), execution=execution())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_predicts(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK, str(folder)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stderr.strip().splitlines()[-1:] == ["the child predicts"], done.stderr


def _probabilities(predictor: Predictor, texts: list[str]) -> Any:
    return np.array([list(row["probabilities"].values()) for row in predictor.predict(texts)])


def copied(predictor: Any, how: str) -> Any:
    return copy.deepcopy(predictor) if how == "deepcopy" else pickle.loads(pickle.dumps(predictor))


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_a_copy_says_the_same_and_shares_nothing(how: str, predictor: Predictor) -> None:
    wanted = _probabilities(predictor, TEXTS)
    again: Predictor = copied(predictor, how)
    np.testing.assert_allclose(_probabilities(again, TEXTS), wanted, rtol=0, atol=1e-6)
    assert (again.labels, repr(again)) == (predictor.labels, repr(predictor))
    assert again.runtime.network is again.model.network  # type: ignore[attr-defined]
    with torch.no_grad():
        again.model.network.encoder.pooler.weight.zero_()
    assert np.abs(_probabilities(again, TEXTS) - wanted).max() > 1e-3
    np.testing.assert_allclose(_probabilities(predictor, TEXTS), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_a_copy_with_early_exit(how: str, predictor: Predictor) -> None:
    early = predictor.early_exit(ExitRule(patience=1))
    wanted = _probabilities(early, TEXTS)
    np.testing.assert_allclose(_probabilities(copied(early, how), TEXTS), wanted, rtol=0, atol=1e-6)


@pytest.mark.usefixtures("unlimited_openvino")
@pytest.mark.parametrize("how, to", [("pickle", "onnx"), ("deepcopy", "onnx"), ("pickle", "openvino")])
def test_a_copy_of_an_exported_model(how: str, to: str, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime" if to == "onnx" else to)
    from albertkit.exporting.export import export

    out = tmp_path / "exported"
    export(load_model(folder), out, to=to)
    predictor = Predictor.load(out, execution=Execution("cpu", "fp32", 1))
    wanted = _probabilities(predictor, TEXTS)
    np.testing.assert_allclose(_probabilities(copied(predictor, how), TEXTS), wanted, rtol=0, atol=1e-6)
    kept = pickle.dumps(predictor)
    for file in out.glob("*.onnx" if to == "onnx" else "*.xml"):
        file.unlink()
    with pytest.raises(CheckpointError, match="cannot read it"):
        pickle.loads(kept)


@pytest.mark.slow
def test_spawned_processes(predictor: Predictor) -> None:
    wanted = _probabilities(predictor, TEXTS)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(_probabilities, (predictor, TEXTS))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    np.testing.assert_allclose(_probabilities(predictor, TEXTS), wanted, rtol=0, atol=1e-5)
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(_probabilities)(predictor, [text]) for text in TEXTS)
    np.testing.assert_allclose(np.concatenate(found), wanted, rtol=0, atol=1e-5)
