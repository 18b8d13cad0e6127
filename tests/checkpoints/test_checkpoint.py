"""Checkpoint, the table of formats, and the choice among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from albertkit.checkpoints import FORMATS, Checkpoint, Format, read_checkpoint
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError


def test_every_format_loads_and_satisfies_the_protocol() -> None:
    assert "huggingface" in FORMATS
    for name in FORMATS:
        assert isinstance(FORMATS[name], Format), name


def test_heads_and_pooler_are_read_off_the_names() -> None:
    names = ("embeddings.word.weight", "pooler.weight", "heads.sop.bias", "heads.mlm.bias", "heads.sop.weight")
    checkpoint = Checkpoint(AlbertConfig(), dict.fromkeys(names), source_format="toy", source="nowhere")  # type: ignore
    assert checkpoint.heads == ("sop", "mlm")
    assert checkpoint.has_pooler
    assert not Checkpoint(AlbertConfig(), {}, source_format="toy", source="nowhere").has_pooler


def test_a_path_without_anything(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"absent: no such file or folder; check the path"):
        read_checkpoint(tmp_path / "absent")


def test_a_folder_and_a_file_of_no_known_format(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    expected = (
        r"this {} is not a model in a known format \(.*huggingface: a folder with config\.json and one of model\.saf"
    )
    with pytest.raises(CheckpointError, match=expected.format("folder")):
        read_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match=expected.format("file")):
        read_checkpoint(tmp_path / "notes.txt")


def test_other_formats_are_not_taken_for_hugging_face(shared: Path) -> None:
    for folder in sorted((shared / "fixtures").iterdir()):
        assert not FORMATS["huggingface"].matches(folder), folder.name
