"""`albertkit export`, and what its folder does where torch is not installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.cli.running import Runner
from tests.tiny import BAD, CONFIG, GOOD, write_csv

from albertkit.encoder.encoder import Encoder
from albertkit.models.loaded import Model
from albertkit.models.pretrained import save_model, with_task_head
from albertkit.tasks.network import Network
from albertkit.text.tokenizer import Tokenizer

pytestmark = pytest.mark.usefixtures("unlimited_openvino")

WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnx"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

sys.meta_path.insert(0, NoTorch())
sys.argv[0] = "albertkit"
from albertkit.cli import main
main()
"""
TEXTS = [*GOOD, *BAD, "a long way home, and then some more of it"]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(11)
    bare = Model(Network(Encoder(CONFIG), {}), Tokenizer.official(), max_length=32)
    folder = tmp_path_factory.mktemp("classifier") / "model"
    save_model(with_task_head(bare, task="classification", labels=("bad", "good")), folder)
    return folder


def test_json_says_what_was_written(albertkit: Runner, classifier: Path, tmp_path: Path) -> None:
    outcome = albertkit("export", str(classifier), "--out", str(tmp_path / "made"), "--json")
    assert outcome.status == 0
    done = json.loads(outcome.out)
    assert set(done) == {"files", "bytes", "max_difference"}
    assert done["files"] == ["model.onnx"]
    assert done["bytes"] == (tmp_path / "made" / "model.onnx").stat().st_size
    assert 0 <= done["max_difference"] < 1e-4
    assert {"spiece.model", "tokenizer.json", "config.json", "task.json"} <= {
        path.name for path in (tmp_path / "made").iterdir()
    }
    again = albertkit("export", str(classifier), "--out", str(tmp_path / "made"))
    assert (again.status, again.out) == (2, "")
    assert "not an empty folder" in again.err


def test_an_unknown_format_is_a_usage_error(albertkit: Runner, classifier: Path, tmp_path: Path) -> None:
    outcome = albertkit("export", str(classifier), "--to", "tflite", "--out", str(tmp_path / "made"))
    assert outcome.status == 2
    assert 'unknown export format "tflite"' in outcome.err


def run_without_torch(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_the_folder_predicts_evaluates_and_embeds_without_torch(
    albertkit: Runner, classifier: Path, tmp_path: Path, to: str
) -> None:
    made = tmp_path / "made"
    assert albertkit("export", str(classifier), "--to", to, "--out", str(made)).status == 0
    status, out, err = run_without_torch("predict", str(made), *TEXTS, "--json", "--threads", "1")
    assert (status, err) == (0, "")
    theirs = [json.loads(line) for line in out.splitlines()]
    ours = [
        json.loads(line)
        for line in albertkit("predict", str(classifier), *TEXTS, "--json", "--precision", "fp32").out.splitlines()
    ]
    assert [row["label"] for row in theirs] == [row["label"] for row in ours]
    for one, other in zip(theirs, ours, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)

    rows = [(row["text"], row["label"]) for row in ours]
    table = write_csv(tmp_path / "table.csv", [*rows[:-1], (rows[-1][0], "good" if rows[-1][1] == "bad" else "bad")])
    status, out, err = run_without_torch("evaluate", str(made), "--data", str(table), "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["metrics"]["accuracy"] == pytest.approx(100 * 10 / 11)

    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    vectors = ["--input", str(tmp_path / "texts.txt"), "--output", str(tmp_path / "vectors.npy"), "--json"]
    status, out, err = run_without_torch("embed", str(made), *vectors)
    assert (status, json.loads(out)["texts"]) == (0, len(TEXTS))


def test_without_torch_other_models_and_devices_are_refused_in_a_sentence(classifier: Path) -> None:
    status, out, err = run_without_torch("predict", str(classifier), "text")
    assert (status, out) == (2, "")
    assert "is not an exported model, so it needs torch: pip install torch" in err
    status, out, err = run_without_torch("predict", str(classifier), "text", "--device", "cuda")
    assert (status, out) == (2, "")
    assert "without torch, models run only on the processor in fp32" in err


def test_with_data_both_are_scored(albertkit: Runner, classifier: Path, tmp_path: Path) -> None:
    rows = [
        json.loads(line)
        for line in albertkit("predict", str(classifier), *TEXTS, "--json", "--precision", "fp32").out.splitlines()
    ]
    table = str(write_csv(tmp_path / "table.csv", [(row["text"], row["label"]) for row in rows]))
    words = ["export", str(classifier), "--precision", "int8"]
    outcome = albertkit(*words, "--out", str(tmp_path / "alone"), "--json")
    assert "the exported model was not scored" in outcome.err
    assert "scores" not in json.loads(outcome.out)

    outcome = albertkit(*words, "--out", str(tmp_path / "made"), "--data", table, "--json")
    assert outcome.status == 0, outcome.err
    scores = json.loads(outcome.out)["scores"]
    assert scores["metric"] == "accuracy"
    assert scores["examples"] == len(TEXTS)
    assert scores["before"] == 100
    assert scores["after"] >= 99.5

    # A wrong label counts for both; a text that only the export gets wrong could be told by no such table.
    wrong = [(row["text"], "good" if row["label"] == "bad" else "bad") for row in rows]
    table = str(write_csv(tmp_path / "wrong.csv", wrong))
    outcome = albertkit(*words, "--out", str(tmp_path / "again"), "--data", table)
    assert outcome.status == 0
    assert "0.00, exported" in outcome.out
