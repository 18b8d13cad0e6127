"""Files that are truncated, foreign or hostile: one sentence each, and no code of theirs runs."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from albertkit.checkpoints import read_checkpoint
from checkpoints.folders import refusal


@pytest.mark.parametrize("kept", [0, 5, 200, -1])
def test_a_truncated_file(folder: Path, kept: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    expected = "the file is empty" if kept == 0 else "cannot be read as tensors, it is truncated or of another format"
    message = refusal(folder)
    assert message.startswith(f"{path}: {expected}")
    assert message.endswith("copy or download it again")
    assert "\n" not in message


def test_another_format_under_the_name(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    assert "truncated or of another format" in refusal(folder)


def test_a_pointer_of_git_lfs(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n")
    assert "is a Git LFS pointer, not the weights; git lfs pull fetches them" in refusal(folder)


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("payload-ran",)


@pytest.mark.parametrize("zipped", [True, False, None])
def test_a_pickle_with_code_is_refused_and_not_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool | None
) -> None:
    monkeypatch.chdir(folder)
    (folder / "model.safetensors").unlink()
    path = folder / "pytorch_model.bin"
    if zipped is None:
        path.write_bytes(pickle.dumps({"albert.pooler.weight": Payload()}))
    else:
        torch.save({"albert.pooler.weight": Payload()}, path, _use_new_zipfile_serialization=zipped)
    assert "pickled objects besides tensors, which could run code and are refused" in refusal(folder)
    assert not (folder / "payload-ran").exists()


def test_a_bin_of_something_else(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    path = folder / "pytorch_model.bin"
    torch.save({"epoch": 7, "state_dict": {}}, path)
    assert refusal(folder) == f'{path}: holds "epoch", which is not a tensor; save only the model\'s state_dict()'
    torch.save([torch.ones(1)], path)
    assert "holds a list, not named tensors" in refusal(folder)
    path.write_bytes(b"not a pickle")
    assert "\n" not in refusal(folder)
    torch.save({"a": torch.ones(97)}, path)
    path.write_bytes(path.read_bytes()[:300])
    assert "\n" not in refusal(folder)


def test_no_config(folder: Path) -> None:
    (folder / "config.json").unlink()
    assert refusal(folder) == f"{folder / 'config.json'}: the file is missing; copy it into the folder of the weights"


@pytest.mark.parametrize(
    "text, expected", [("{", "cannot be read as JSON"), ("[1]", "holds a list, not a mapping"), ("\udcff", "JSON")]
)
def test_a_config_that_is_no_mapping(folder: Path, text: str, expected: str) -> None:
    (folder / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert expected in refusal(folder)


def test_no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "tf_model.h5").touch()
    assert refusal(folder) == (
        f"{folder}: holds no weights (tf_model.h5 cannot be used instead); expected model.safetensors or "
        "pytorch_model.bin"
    )


def shard(folder: Path, weight_map: Any) -> None:
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    names = dict.fromkeys(tensors, "part.safetensors")
    value = {**names, **weight_map} if isinstance(weight_map, dict) else weight_map
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": value}))


def test_an_index_that_fits(folder: Path) -> None:
    shard(folder, {})
    assert read_checkpoint(folder).heads == ("mlm", "sop")


@pytest.mark.parametrize("name", ["../part.safetensors", "/etc/passwd", "sub/part.safetensors", "..", "", "..\\part"])
def test_an_index_that_names_a_file_outside(folder: Path, name: str) -> None:
    shard(folder, {"albert.pooler.bias": name})
    assert f'names the file "{name}", which is not a plain name inside its folder' in refusal(folder)


def test_an_index_that_names_what_is_not_there(folder: Path) -> None:
    shard(folder, {"albert.pooler.bias": "absent.safetensors"})
    assert 'names the file "absent.safetensors", which is missing' in refusal(folder)


def test_an_index_that_lists_other_tensors(folder: Path) -> None:
    shard(folder, {"more": "part.safetensors"})
    assert '1 tensors differ, the first is "more"' in refusal(folder)


@pytest.mark.parametrize("value", [None, [], {"a": 1}])
def test_an_index_without_a_map(folder: Path, value: Any) -> None:
    shard(folder, value)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": value}))
    assert 'has no "weight_map"' in refusal(folder)
