"""The program on few lines: the JSON's form, and what the table must say whatever the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("transformers", minversion="5.0")
pytest.importorskip("tokenizers")

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "tokenizing.py"
KEYS = "case precision ours peer peer_name peer_mode peer_precision unit ratio max_difference".split()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(PROGRAM), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_report(tmp_path: Path) -> None:
    texts = tmp_path / "capitals.txt"
    texts.write_text("The co-op (U.S.) met in Caf\u00e9 \u00c9ric in 1947, and 2,and.\n\n" * 3, encoding="utf-8")
    out = tmp_path / "figures.json"
    done = run("--lines", "40", "--rounds", "1", "--texts", str(texts), "--json-out", str(out))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert json.loads(out.read_text(encoding="utf-8")) == report
    assert report["name"] == "tokenizers"
    assert [row["case"] for row in report["cases"]] == ["polarity", "capitals"]
    for row in report["cases"]:
        assert set(KEYS) <= set(row)
        assert row["ratio"] == pytest.approx(row["ours"] / row["peer"], rel=0.01)
    compared = report["agreement"]
    assert compared["lines"] == {"polarity": 40, "capitals": 3}
    different = {(row["name"], row["version"].split()[0]): row["different"]["capitals"] for row in compared["rows"]}
    assert different == {
        ("transformers slow (mode huggingface)", "albertkit"): 0.0,
        ("Google's code (mode google)", "albertkit"): 0.0,
        ("TF Hub's albert_en_preprocess (mode tfhub)", "albertkit"): 100.0,
        ("KerasHub, raw SentencePiece (mode keras)", "albertkit"): 100.0,
        ("transformers fast, from spiece.model", "transformers"): 100.0,
        ("transformers, tokenizer.json of albertkit (huggingface)", "transformers"): 0.0,
    }
    assert "| Google's code (mode google) | albertkit" in done.stderr


@pytest.mark.slow
def test_what_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    for arguments, words in (
        (["--texts", str(tmp_path / "none.txt")], "none.txt: cannot be read as UTF-8 text"),
        (["--data-dir", str(tmp_path)], "holds neither aclImdb/test nor glue/SST-2/train.tsv"),
        (["--lines", "3", "--slow-python", str(tmp_path / "python")], "cannot run transformers 4.x with sentencepiece"),
    ):
        done = run("--quick", *arguments)
        assert done.returncode == 1
        assert words in done.stderr.splitlines()[-1]
        assert done.stdout == ""
