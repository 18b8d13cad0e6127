"""`albertkit train-vocab`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.running import Runner
from tests.tiny import leftovers

from albertkit.models.tokenizers import load_tokenizer

WORDS = "the quick brown fox jumps over lazy dogs while five boxing wizards pack my box with dozen liquor jugs".split()


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "in.txt"
    path.write_text("\n".join(" ".join(WORDS[i % 7 :: 1 + i % 3]) for i in range(90)))
    return path


def test_a_tokenizer_folder(text: Path, albertkit: Runner, tmp_path: Path) -> None:
    out = tmp_path / "own"
    outcome = albertkit("train-vocab", text, "--size", "50", "--out", out, "--json")
    found = outcome.json
    assert list(found) == ["pieces", "sentences", "left_out", "seconds", "files"]
    assert (found["pieces"], found["sentences"], found["left_out"]) == (50, 90, 0)
    assert set(found["files"]) == {path.name for path in out.iterdir()}
    assert outcome.err.splitlines() == ["counting the sentences of 1 file", "training 50 pieces on 90 sentences"]
    assert load_tokenizer(str(out)).vocab_size == 50
    assert not leftovers(tmp_path)
    line = albertkit("tokenize", "--model", out, given="The quick FOX\n")
    assert line.out.replace(" ", "").replace("\u2581", " ") == " the quick fox\n"


def test_a_line_for_people_that_tells_what_was_left_out(text: Path, albertkit: Runner, tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_text("\u2585\n")
    outcome = albertkit("train-vocab", text, tmp_path / "odd.txt", "--size", "50", "--out", tmp_path / "own")
    first, second = outcome.out.splitlines()
    assert first.startswith("50 pieces from 90 sentences in ")
    assert second.startswith("1 sentences were left out")


def test_refusals(text: Path, albertkit: Runner, tmp_path: Path) -> None:
    out = tmp_path / "own"
    outcome = albertkit("train-vocab", text, "--size", "9999", "--out", out, "--json")
    assert (outcome.status, outcome.out) == (2, "")
    assert "is too large for 90 sentences" in outcome.err
    assert "sentencepiece" not in outcome.err
    assert (
        "in.no: there is no such file"
        in albertkit("train-vocab", tmp_path / "in.no", "--size", "50", "--out", out, "--json").failure()
    )
    assert "exists and is not empty" in albertkit("train-vocab", text, "--size", "50", "--out", tmp_path).failure()
    assert not out.exists()
