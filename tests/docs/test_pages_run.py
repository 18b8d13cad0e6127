"""The site's own pages are true: our lines of each run; where shapes and ids are told, they are these."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.cli.running import Runner
from tests.docs.guide import run_guide
from tests.tiny import keyword_rows, tiny_folder, without_pictures, write_csv
from tests.tiny_glue import write_glue
from tests.tiny_teacher import tiny_teacher, tiny_texts

import albertkit
from albertkit.checkpoints import ReadOptions, read_checkpoint
from albertkit.models.conversion import convert

SHORT = ("--limit", "12", "--steps", "1", "--batch-size", "4", "--max-length", "12", "--no-baseline")
TANH = ReadOptions(activation="gelu_new")
"""What Google's and Julia's files can say; albert-nano has the other form."""
FEW = ("--limit", "12", "--epochs", "1", "--max-length", "16", "--no-baseline")


@pytest.fixture(autouse=True)
def _without_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    without_pictures(monkeypatch)


def test_first_steps(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = run_guide(
        "../index.md", folder=tmp_path, capfd=capfd, monkeypatch=monkeypatch, small={"finetune": SHORT}
    )
    assert len(outcomes) == 4
    assert set(outcomes[3].json["probabilities"]) == {"delivery", "payment"}


def test_how_albert_works(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    info, fill, order = run_guide("../how_albert_works.md", folder=tmp_path, capfd=capfd, monkeypatch=monkeypatch)
    assert "7,837,266" in info.out
    assert len(fill.out.splitlines()) >= 5
    assert order.out


def test_moving(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _what_the_reader_has(tmp_path)
    # The tutorial's folder has its name, in another format that needs no TensorFlow to be written.
    convert("albert-nano", tmp_path / "albert_en_base_2", to="tf1", options=TANH)
    outcomes = run_guide("../moving.md", folder=tmp_path, capfd=capfd, monkeypatch=monkeypatch, small={"finetune": FEW})
    assert len(outcomes) == 11
    assert np.load(tmp_path / "vectors.npy").shape == (2, 384)
    assert (tmp_path / "curves.png").stat().st_size > 0
    config = json.loads((tmp_path / "runs" / "tuned" / "config.json").read_text())
    assert (config["head_hidden"], config["validation"]) == ([128, 30, 8], 0.4)
    tokenizer, encoder = albertkit.load_tokenizer("albert-nano"), albertkit.load_encoder("albert-nano", trainable=False)
    assert tokenizer.ids(tokenizer.tokenize("i love julia language")) == [31, 339, 5423, 816]  # WordTokenizers' less 1
    batch = tokenizer(["one text", "another, longer text"])
    assert encoder(batch).pooled_output.shape == (2, 256)
    assert batch.pad()["input_ids"].shape == (2, 6)


def test_the_hub_s_own_folder_goes_in(
    shared: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(shared / "fixtures" / "tfhub2_encoder", tmp_path / "albert_en_base_2")
    monkeypatch.chdir(tmp_path)
    assert read_checkpoint("albert_en_base_2").tokenizer_mode == "tfhub"
    assert Runner(capfd, monkeypatch)("convert", "albert_en_base_2", "albert-from-hub").status == 0
    assert (tmp_path / "albert-from-hub" / "model.safetensors").is_file()


def _what_the_reader_has(folder: Path) -> None:
    convert("albert-nano", folder / "my-albert")
    convert("albert-nano", folder / "albert_base_v2.bson", to="bson", options=TANH)
    (folder / "lines.txt").write_text("one text\nanother\n", encoding="utf-8")
    with (folder / "reviews.csv").open("w", encoding="utf-8", newline="") as file:
        rows = [(f"review {n}: {'a wonder' if n % 2 else 'a bore'}", "good" if n % 2 else "bad") for n in range(24)]
        csv.writer(file).writerows([("text", "label"), *rows])
    for split in ("train", "test"):
        for label, rating in (("neg", 2), ("pos", 9)):
            for number in range(8):
                path = folder / "aclImdb" / split / label / f"{number}_{rating}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"A {label} review, number {number} of {split}.", encoding="utf-8")
    write_glue(folder / "glue", ["qnli"], rows=12)


def test_learning_from_a_larger_model(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_folder(), tmp_path / "albert-base-v2")  # the known model is not here
    write_csv(tmp_path / "reviews.csv", keyword_rows(40))
    (tmp_path / "more.txt").write_text("".join(f"{text}\n" for text, _ in keyword_rows(12, seed=9)))
    small = {"finetune": ("--steps", "1", "--batch-size", "4", "--max-length", "16", "--no-baseline")}
    outcomes = run_guide(
        "../finetuning.md",
        folder=tmp_path,
        capfd=capfd,
        monkeypatch=monkeypatch,
        small=small,
        section="Learn from a larger model",
    )
    assert len(outcomes) == 2
    assert "Model and teacher (runs/large)" in outcomes[1].out
    assert json.loads((tmp_path / "runs" / "python" / "report.json").read_text())["teacher"]["unlabelled"] > 0


def test_distillation(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    shutil.copytree(tiny_teacher(), tmp_path / "all-MiniLM-L6-v2")
    lines = tiny_texts().read_text().splitlines()[:12]
    (tmp_path / "texts.txt").write_text("\n".join(lines) + "\n")
    # The tiny teacher has fewer dimensions than nano's word embeddings.
    short = ("--start", "keep", "--steps", "1", "--batch-size", "4", "--workers", "1")
    outcomes = run_guide(
        "../distillation.md", folder=tmp_path, capfd=capfd, monkeypatch=monkeypatch, small={"distill": short}
    )
    assert len(outcomes) == 4
    assert (tmp_path / "runs" / "python" / "report.json").is_file()
