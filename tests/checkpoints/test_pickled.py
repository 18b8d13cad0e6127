"""Files of torch.save that ask for more than they hold are refused in one sentence, and quickly."""

from __future__ import annotations

import pickle
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from albertkit.checkpoints.tensor_files import read_tensors
from albertkit.errors import CheckpointError


def saved(make: Callable[[], Any]) -> Callable[[Path], None]:
    return lambda path: torch.save(make(), path)


def rezipped(path: Path, data: bytes, compression: int) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", b"3\n")


def compressed(path: Path) -> None:
    rezipped(path, pickle.dumps("x" * 20_000_000, protocol=2), zipfile.ZIP_DEFLATED)


def many_steps(path: Path) -> None:
    rezipped(path, b"\x80\x02" + b"]" * 2_000_000 + b".", zipfile.ZIP_STORED)


def bytes_of_any_size(path: Path) -> None:
    rezipped(path, b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x01\x85R.", zipfile.ZIP_STORED)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (saved(lambda: {"a": torch.zeros(1).expand(2_000_000_000)}), '"a" repeats few values to the shape'),
        (saved(lambda: {"a": torch.zeros(1).expand(1000, 1000, 1000, 1000)}), '"a" repeats few values'),
        (saved(lambda: {"a": torch.empty(3, device="meta")}), "holds pickled objects besides tensors"),
        (saved(lambda: {"a": torch.ones(2, 2).to_sparse()}), "holds pickled objects besides tensors"),
        (saved(lambda: {"a": torch.nested.nested_tensor([torch.ones(2)])}), "pickled objects besides tensors"),
        (saved(lambda: {7: torch.ones(2)}), '"7" is not a tensor name'),
        (saved(lambda: {("a",): torch.ones(2)}), "is not a tensor name"),
        (compressed, "holds compressed records"),
        (many_steps, "has a pickle of more steps than any model needs"),
        (bytes_of_any_size, "holds pickled objects besides tensors"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::UserWarning")  # sparse and nested tensors are called prototypes
def test_files_that_ask_for_more_than_they_hold(write: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    path = tmp_path / "pytorch_model.bin"
    write(path)
    started = time.process_time()
    with pytest.raises(CheckpointError, match=words) as caught:
        read_tensors(path)
    assert time.process_time() - started < 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.float64])
def test_what_a_state_dict_is_made_of(zipped: bool, dtype: torch.dtype, tmp_path: Path) -> None:
    path = tmp_path / "pytorch_model.bin"
    linear = torch.nn.Linear(3, 2, dtype=dtype if dtype.is_floating_point else torch.float32)
    tensors = {**linear.state_dict(), "ids": torch.arange(5).expand(1, -1).to(dtype)}
    tensors["parameter"] = torch.nn.Parameter(torch.ones(2).to(dtype), requires_grad=dtype.is_floating_point)
    tensors["view"] = torch.arange(6).to(dtype).reshape(2, 3).T
    torch.save(tensors, path, _use_new_zipfile_serialization=zipped)
    found = read_tensors(path)
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_the_content_of_a_broken_zip_is_not_printed(tmp_path: Path) -> None:
    path = tmp_path / "pytorch_model.bin"
    torch.save({"word": torch.zeros(30_000)}, path)
    content = bytearray(path.read_bytes())
    content[6:8], content[26:28] = b"\0\0", b"\xff\x7f"  # a name of 32,767 bytes, of any encoding
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="truncated or of another format") as caught:
        read_tensors(path)
    assert len(str(caught.value)) < 400 + len(str(path))
