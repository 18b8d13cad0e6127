"""`albertkit convert`: its JSON, its sentence, and the mistakes that people make first."""

from __future__ import annotations

from pathlib import Path

from tests.checkpoints.healthy import HEALTHY
from tests.cli.running import Runner


def test_json(albertkit: Runner, tmp_path: Path) -> None:
    outcome = albertkit("convert", HEALTHY["tf1"](tmp_path), tmp_path / "out", "--to", "huggingface", "--json")
    assert outcome.status == 0
    found = outcome.json
    assert found["source_format"] == "tf1"
    assert found["config"]["num_hidden_groups"] == 2
    assert (found["missing"], found["unexpected"], found["heads"]) == ([], [], ["mlm", "sop"])
    assert found["tensors"] == 80
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_the_sentence_and_the_notes(albertkit: Runner, tmp_path: Path) -> None:
    outcome = albertkit("convert", HEALTHY["huggingface"](tmp_path), tmp_path / "out.bson", "--to", "bson")
    assert outcome.status == 0
    assert outcome.out.startswith("huggingface -> bson: 80 tensors, 4 layers of 6, 2 attention heads, gelu_new")
    assert "holds no tokenizer" in outcome.err


def test_first_mistakes(albertkit: Runner, tmp_path: Path) -> None:
    model = HEALTHY["huggingface"](tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "thesis.txt").write_text("")
    for arguments, status, words in (
        ((tmp_path / "nowhere", tmp_path / "out"), 2, "not a path, and not listed by `albertkit models`"),
        ((tmp_path / "empty", tmp_path / "out"), 1, "this folder is not a model in a known format"),
        ((model, tmp_path / "out", "--to", "tensorflow"), 2, 'unknown checkpoint format "tensorflow"'),
        ((model, tmp_path / "there"), 1, "already exists; give another path"),
        ((model, tmp_path / "out", "--num-heads", "4"), 1, "4 attention heads do not divide hidden_size 6"),
        ((model, tmp_path / "out", "--mode", "gogle"), 2, 'did you mean "google"'),
    ):
        outcome = albertkit("convert", *arguments)
        assert (outcome.status, outcome.out) == (status, ""), outcome
        assert words in outcome.err
        assert not (tmp_path / "out").exists()


def test_a_bson_file_needs_its_ending(albertkit: Runner, tmp_path: Path) -> None:
    source = HEALTHY["huggingface"](tmp_path)
    outcome = albertkit("convert", source, tmp_path / "out", "--to", "bson")
    assert outcome.status == 2
    assert "a BSON model needs the extension .bson; name it out.bson" in outcome.err
    assert not (tmp_path / "out").exists()
