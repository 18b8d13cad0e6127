"""The tutorials: the notebooks run from start to end on little data, and their stored copies are fit to be read."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from albertkit.models.pretrained import load_encoder

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
IMDB, QNLI = "imdb_frozen_and_finetuned", "qnli_pair_classification"
PRETRAINING = "pretraining_on_your_own_text"
ABSOLUTE_PATH = re.compile(r"""(?:^|[\s'"(=])(?:/[\w.-]+){2,}|[A-Z]:\\""", re.MULTILINE)
PNG = b"\x89PNG\r\n"

pytest.importorskip("nbclient", reason="the extra albertkit[notebooks] is not installed")
pytest.importorskip("ipykernel", reason="the extra albertkit[notebooks] is not installed")


def run_examples(*words: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """Call the runner as `make tutorials` does: in a process of its own, away from pytest's filter of warnings."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ALBERTKIT_TUTORIAL")}
    environment |= {"ALBERTKIT_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(EXAMPLES / "run.py"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)


def read(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def printed(notebook: dict[str, Any]) -> str:
    """All text that the cells wrote."""
    outputs = [output for cell in code_cells(notebook) for output in cell["outputs"]]
    return "".join("".join(output.get("text", ())) for output in outputs)


def pictures(notebook: dict[str, Any]) -> Iterator[bytes]:
    for cell in code_cells(notebook):
        for output in cell["outputs"]:
            if "image/png" in output.get("data", {}):
                yield base64.b64decode("".join(output["data"]["image/png"]))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def imdb(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Folder of the IMDB tutorial, executed on a few of the built-in snippets."""
    out = tmp_path_factory.mktemp("imdb")
    done = run_examples("--small", "--limit", "120", "--out", str(out), IMDB, cache=cache)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def qnli(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Folder of the QNLI tutorial, executed on a made-up dev.tsv with the official columns."""
    data, out = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("qnli")
    rows = (
        ("When was the harbour built?", "The harbour was built in 1871.", "entailment"),
        ("Who runs the museum?", "Its tower is 30 metres high.", "not_entailment"),
        ("What grows in the valley?", "Apples and hops grow in the valley.", "entailment"),
    )
    (data / "QNLI").mkdir()
    table = "index\tquestion\tsentence\tlabel\n"
    table += "".join(f"{number}\t" + "\t".join(row) + "\n" for number, row in enumerate(rows))
    (data / "QNLI" / "dev.tsv").write_text(table, encoding="utf-8")
    done = run_examples("--small", "--data-dir", str(data), "--out", str(out), QNLI, cache=cache)
    assert done.returncode == 0, done.stderr
    return out


def test_imdb_tutorial_reports_both_runs_and_draws_them(imdb: Path) -> None:
    text = printed(read(imdb / f"{IMDB}.ipynb"))
    assert "packed and padded agree: True" in text
    for name, epochs, widths in (("frozen", 20, [30]), ("finetuned", 4, [128, 30, 8])):
        run = imdb / "runs" / "imdb_tutorial" / name
        report = read(run / "report.json")
        assert len(report["epochs"]) == epochs
        assert 0 <= report["metrics"]["accuracy"] <= 100
        head = read(run / "model" / "task.json")["head"]
        assert head == {"name": "classifier", "hidden": widths, "norm": "batch", "pooling": "pooler"}
        shown = f"{name.replace('finetuned', 'fine-tuned')}: test accuracy {report['metrics']['accuracy']:.1f} %"
        assert shown in text
    # The head on random features, and all the more the whole network, learns a few dozen texts by heart.
    assert report["epochs"][-1]["train"]["accuracy"] > 65
    assert re.search(r"frozen_deep: test accuracy [0-9.]+ %", text)
    assert re.search(r"frozen_mean: test accuracy [0-9.]+ %", text)
    assert re.search(r"^fp32: [0-9,]+ texts/s, [0-9.]+ % of 120 right$", text, re.MULTILINE)
    assert (imdb / "runs" / "imdb_tutorial" / "curves.png").read_bytes().startswith(PNG)
    assert len(list(imdb.glob(f"{IMDB}_*.png"))) == 2


def test_frozen_run_of_the_imdb_tutorial_leaves_the_encoder_alone(imdb: Path) -> None:
    runs = imdb / "runs" / "imdb_tutorial"
    frozen, finetuned = (load_file(runs / name / "model" / "model.safetensors") for name in ("frozen", "finetuned"))
    pooler = next(name for name in frozen if name.endswith("pooler.weight"))
    fresh = load_encoder("albert-nano").pooler.weight
    assert torch.equal(frozen[pooler], fresh)
    assert not torch.equal(finetuned[pooler], fresh)


def test_qnli_tutorial_drives_the_loss_of_two_pairs_to_zero_both_ways(qnli: Path) -> None:
    text = printed(read(qnli / f"{QNLI}.ipynb"))
    found = re.search(r"last loss at 3e-4: ([0-9.]+)", text)
    assert found is not None
    assert float(found[1]) < 0.01
    lines = (qnli / "runs" / "qnli_tutorial" / "command" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    losses = [event["loss"] for event in map(json.loads, lines) if event["event"] == "step"]
    assert len(losses) == 20
    assert losses[-1] < 0.01
    assert (qnli / f"{QNLI}_1.png").read_bytes().startswith(PNG)


def test_qnli_tutorial_shows_pairs_as_albert_jl_does(qnli: Path) -> None:
    text = printed(read(qnli / f"{QNLI}.ipynb"))
    assert "('entailment', 'not_entailment')" in text  # what ALBERT.jl's get_labels printed
    assert "7 of 7 pieces agree" in text  # with the log probabilities and ids that its vocabulary printed
    assert "[CLS] \u2581when \u2581was \u2581the \u2581harbour \u2581built ? [SEP]" in text
    assert "ids and segments of the batch are those above: True" in text
    assert "3 pairs" in text  # the table of this test, not the built-in pairs


@pytest.fixture(scope="module")
def pretraining(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Folder of the pretraining tutorial, executed on Python's manual."""
    out = tmp_path_factory.mktemp("pretraining")
    done = run_examples("--small", "--limit", "60", "--out", str(out), PRETRAINING, cache=cache)
    assert done.returncode == 0, done.stderr
    return out


def test_pretraining_tutorial_learns_the_field_s_words(pretraining: Path) -> None:
    text = printed(read(pretraining / f"{PRETRAINING}.ipynb"))
    before, after = (
        read(pretraining / "runs" / "pretraining_tutorial" / n / "report.json") for n in ("before", "adapted")
    )
    assert before["held_out_tokens"] == after["held_out_tokens"] > 1000
    assert after["mlm_loss"] < before["mlm_loss"] - 0.2
    assert f"held-out loss {before['mlm_loss']:.3f}" in text
    places = [int(place.replace(",", "")) for place in re.findall(r"place ([0-9,]+)\)", text)]
    assert len(places) == 8
    assert sum(later < earlier for earlier, later in zip(places[::2], places[1::2], strict=True)) >= 3
    assert len(list(pretraining.glob(f"{PRETRAINING}_*.png"))) == 2


def test_pretraining_tutorial_masks_as_the_paper_says(pretraining: Path) -> None:
    text = printed(read(pretraining / f"{PRETRAINING}.ipynb"))
    share = re.search(r"([0-9.]+) % of [0-9,]+ tokens are masked", text)
    swapped = re.search(r"([0-9.]+) % of them swapped", text)
    assert share is not None
    assert swapped is not None
    assert float(share[1]) == pytest.approx(15, abs=1)
    assert float(swapped[1]) == pytest.approx(50, abs=7)


@pytest.mark.slow
def test_pretraining_tutorial_reads_unlabelled_reviews(tmp_path: Path, cache: Path) -> None:
    review = "A film that I saw {} times.<br /><br />It is {} and long. The acting was good. I would see it again."
    for folder, word in (("train/unsup", "odd"), *((f"{s}/{c}", c) for s in ("train", "test") for c in ("pos", "neg"))):
        (tmp_path / "aclImdb" / folder).mkdir(parents=True)
        for number in range(24):
            file = tmp_path / "aclImdb" / folder / f"{number}_{0 if word == 'odd' else 7}.txt"
            file.write_text(review.format(number, word), encoding="utf-8")
    out = tmp_path / "out"
    done = run_examples("--small", "--data-dir", str(tmp_path), "--out", str(out), PRETRAINING, cache=cache)
    assert done.returncode == 0, done.stderr
    text = printed(read(out / f"{PRETRAINING}.ipynb"))
    assert "24 documents" in text
    assert "<br" not in text
    assert "imdb: 48 texts train, 48 score" in text


def test_runner_names_what_is_missing(tmp_path: Path) -> None:
    done = run_examples("--data-dir", str(tmp_path), "--out", str(tmp_path / "out"), IMDB, cache=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{IMDB}: none of imdb.tar.xz, ")
    assert run_examples("imbd", cache=tmp_path).returncode == 2


@pytest.mark.parametrize("name", [IMDB, QNLI, PRETRAINING])
def test_stored_notebook_is_executed_and_fit_to_be_read(name: str) -> None:
    notebook = read(EXAMPLES / f"{name}.ipynb")
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]
    text = printed(notebook)
    assert ABSOLUTE_PATH.findall(text) == []
    assert "\x1b" not in text
    sizes = [len(picture) for picture in pictures(notebook)]
    assert sizes
    assert max(sizes) < 300_000
