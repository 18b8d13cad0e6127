"""Tensors of a checkpoint folder, in safetensors or PyTorch's own format."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from albertkit.checkpoints.json_files import read_mapping
from albertkit.checkpoints.pickled import NotAStateDictError, check_file, check_tensor
from albertkit.errors import CheckpointError
from albertkit.io.files import WriteError, atomic_file

WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""Names under which Hugging Face folders hold weights, in the order of preference."""


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read one file of tensors, memory-mapped where the format allows.

    A `.safetensors` file cannot carry code. Any other file goes through `torch.load(weights_only=True)`, which refuses
    every pickled object that is not a tensor or a plain container.

    Raises:
        CheckpointError: absent, truncated, of another format, or with content besides tensors.
    """
    try:
        if path.suffix == ".safetensors":
            tensors: Any = safetensors.torch.load_file(path)
        else:
            check_file(path)
            with warnings.catch_warnings():
                # A newer pickle protocol is no fault: what cannot be read of it raises.
                warnings.filterwarnings("ignore", message="Detected pickle protocol")
                tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: the file is missing; copy or download it again") from error
    except Exception as error:  # torch's unpickler fails on damaged bytes with whatever error its stack meets
        raise CheckpointError(f"{path}: {_diagnosis(path, error)}") from error
    if not isinstance(tensors, Mapping):
        raise CheckpointError(
            f"{path}: holds a {type(tensors).__name__}, not named tensors; save only the model's state_dict()"
        )
    for name, value in tensors.items():
        if not isinstance(value, torch.Tensor):
            raise CheckpointError(
                f"{path}: holds {_shown(name)}, which is not a tensor; save only the model's state_dict()"
            )
        if not isinstance(name, str):
            raise CheckpointError(f"{path}: {_shown(name)} is not a tensor name; save only the model's state_dict()")
        if wrong := check_tensor(value):
            raise CheckpointError(f"{path}: {_shown(name)} {wrong}; save only the model's state_dict()")
    return dict(tensors)


def _shown(name: object) -> str:
    return f'"{name!s:.80}"'


def _diagnosis(path: Path, error: Exception) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as refusal:
        return f"cannot be opened ({refusal.strerror}); check its permissions"
    if not head:
        return "the file is empty; copy or download it again"
    if head.startswith(b"version https://git-lfs"):
        return "this is a Git LFS pointer, not the weights; git lfs pull fetches them"
    if isinstance(error, NotAStateDictError):
        return f"{error}; save the model's state_dict() with torch.save, or get the model as safetensors"
    if isinstance(error, pickle.UnpicklingError):
        return (
            "is damaged or holds pickled objects besides tensors, which could run code and are refused; "
            "get the model as safetensors"
        )
    reason = (str(error).splitlines() or [type(error).__name__])[0][:200]  # a broken zip's holds the file's content
    return f"cannot be read as tensors, it is truncated or of another format ({reason}); copy or download it again"


def _read_shards(index: Path) -> dict[str, torch.Tensor]:
    weight_map = read_mapping(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(file, str) for file in weight_map.values()):
        raise CheckpointError(f'{index}: has no "weight_map" from tensor names to file names; download it again')
    files = list(dict.fromkeys(weight_map.values()))
    for file in files:
        # A name with a folder in it could point anywhere on the machine.
        if file != Path(file).name or "\\" in file or file in ("", ".", ".."):
            raise CheckpointError(f'{index}: names the file "{file}", which is not a plain name inside its folder')
        if not (index.parent / file).is_file():
            raise CheckpointError(f'{index}: names the file "{file}", which is missing; copy or download it')
    tensors: dict[str, torch.Tensor] = {}
    for file in files:
        shard = index.parent / file
        content = read_tensors(shard)
        listed = {name for name, owner in weight_map.items() if owner == file}
        if differing := sorted(listed ^ content.keys()):
            raise CheckpointError(
                f"{shard}: does not hold what {index.name} lists; {len(differing)} tensors differ, "
                f'the first is "{differing[0]}"'
            )
        tensors |= content
    return tensors


def read_weights(folder: Path) -> tuple[dict[str, torch.Tensor], Path]:
    """Read the weights of a folder, in one file or in shards.

    Returns:
        The tensors under the names of the file, and the path of the file (or index) that gave them.

    Raises:
        CheckpointError: no weights, or see `read_tensors`; an index that names absent or outside files.
    """
    for name in WEIGHT_FILES:
        path = folder / name
        if path.exists():
            return (_read_shards(path) if name.endswith(".index.json") else read_tensors(path)), path
    others = sorted(path.name for path in folder.iterdir() if path.suffix in (".h5", ".msgpack", ".ot", ".onnx"))
    besides = f" ({', '.join(others)} cannot be used instead)" if others else ""
    raise CheckpointError(f"{folder}: holds no weights{besides}; expected {WEIGHT_FILES[0]} or {WEIGHT_FILES[2]}")


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write a safetensors file atomically; a memory-mapped older file of that name stays readable.

    Raises:
        WriteError: the system refused.
    """
    # Each tensor needs memory of its own: views of a common one (tied, transposed) are copied.
    owners: dict[int, str] = {}
    ready: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        own = tensor.detach().contiguous()
        ready[name] = own.clone() if owners.setdefault(own.data_ptr(), name) != name else own
    with atomic_file(path) as temporary:
        try:
            safetensors.torch.save_file(ready, temporary, metadata={"format": "pt"})
        except SafetensorError as error:
            raise WriteError(f"{path}: cannot be written ({error}); the previous file is unchanged") from error
