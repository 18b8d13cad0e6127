"""The numbers of a `.weights.h5` file, read so that a bad file can do no harm, and written as Keras writes them.

The HDF5 library only lists the file, in a process of its own (`keras_hdf5_child.py`); the numbers are then read from
the places that it named, after a check against the size of the file.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch

from albertkit.errors import CheckpointError, MissingExtraError
from albertkit.io.files import WriteError, atomic_file

_CHILD = Path(__file__).with_name("keras_hdf5_child.py")
_PATIENCE = 60.0  # seconds of the wall clock; the child's own limit is in processor time
_NUMBERS = {"f2": torch.float16, "f4": torch.float32, "f8": torch.float64, "i1": torch.int8, "u1": torch.uint8}
_RANK = 4


@dataclass(frozen=True)
class Dataset:
    """Location of one array in a file."""

    path: str
    """Name inside the file: `layers/dense/vars/0`."""
    file: Path
    """The file."""
    dtype: str
    """NumPy's name of its type, `bfloat16`, or empty where it is no number that a network has."""
    shape: tuple[int, ...]
    """Its shape."""
    offset: int
    """Where it starts, in bytes."""

    def load(self) -> torch.Tensor:
        """Read the numbers.

        Raises:
            CheckpointError: the file cannot be read any more.
        """
        numpy_type = "<i2" if self.dtype == "bfloat16" else self.dtype
        try:
            flat = np.fromfile(self.file, numpy_type, prod(self.shape), offset=self.offset)
            array = flat.astype(flat.dtype.newbyteorder("="), copy=False).reshape(self.shape)
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{self.file}: {self.path} cannot be read ({error}); copy the file again") from error
        tensor = torch.from_numpy(array)
        return tensor.view(torch.bfloat16) if self.dtype == "bfloat16" else tensor


def require_h5py() -> None:
    """Check for h5py without loading it.

    Raises:
        MissingExtraError: it is not installed.
    """
    if importlib.util.find_spec("h5py") is None:
        raise MissingExtraError("h5py", extra="keras", purpose="a KerasHub preset")


def list_hdf5(path: Path) -> tuple[dict[str, Dataset], dict[str, str]]:
    """List a file.

    Returns:
        `(datasets, names)`: path in the file -> dataset, and path of a layer's group -> the layer's own name, where
        the file gives one (Keras 3.8 and later do).

    Raises:
        CheckpointError: absent, damaged, or with content that Keras does not write.
        MissingExtraError: h5py is not installed.
    """
    require_h5py()
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be opened ({error.strerror}); copy or download the file") from error
    if start != b"\x89HDF\r\n\x1a\n":
        lfs = start.startswith(b"version ")
        what = (
            "a Git LFS pointer (git lfs pull fetches the file)"
            if lfs
            else "not an HDF5 file; copy or download it again"
        )
        raise CheckpointError(f"{path}: this is {what}")
    answer = _ask(path)
    if "refused" in answer:
        raise CheckpointError(f"{path}: cannot be used, {answer['refused']}; copy or download the file again")
    datasets = {entry["path"]: _checked(path, entry, size) for entry in answer["datasets"]}
    if sum(_bytes(dataset) for dataset in datasets.values()) > size:
        raise CheckpointError(f"{path}: its arrays overlap, which Keras does not write; download the file again")
    return datasets, answer["names"]


def _ask(path: Path) -> dict[str, Any]:
    command = [sys.executable, str(_CHILD), str(path.absolute())]
    # The child finds h5py where this process would, whatever changed sys.path here.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    try:
        child = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False
        )
        if child.returncode == 0:
            answer: dict[str, Any] = json.loads(child.stdout)
            return answer
    except subprocess.TimeoutExpired:
        pass
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read, the HDF5 reader did not work ({error})") from error
    raise CheckpointError(f"{path}: is damaged so that the HDF5 library fails on it; copy or download the file again")


def _bytes(dataset: Dataset) -> int:
    return prod(dataset.shape) * (2 if dataset.dtype == "bfloat16" else np.dtype(dataset.dtype or "u1").itemsize)


def _checked(path: Path, entry: Mapping[str, Any], size: int) -> Dataset:
    dtype = "bfloat16" if entry["bfloat16"] else str(entry["dtype"])
    if dtype != "bfloat16" and dtype[1:] not in _NUMBERS:
        return Dataset(entry["path"], path, "", (), 0)  # a counter or a seed; the caller reports it as skipped
    dataset = Dataset(entry["path"], path, dtype, tuple(entry["shape"]), entry["offset"] or 0)
    if len(dataset.shape) > _RANK:
        raise CheckpointError(f"{path}: {dataset.path} has {len(dataset.shape)} dimensions; download the file again")
    if _bytes(dataset) and (entry["offset"] is None or dataset.offset + _bytes(dataset) > size):
        raise CheckpointError(
            f"{path}: {dataset.path} {list(dataset.shape)} does not lie within the {size} bytes of the file; "
            "it is cut off or corrupt, copy or download it again"
        )
    return dataset


def write_hdf5(path: Path, tensors: Mapping[str, torch.Tensor], names: Mapping[str, str]) -> None:
    """Write a file as Keras does.

    Args:
        path: the file.
        tensors: path in the file -> tensor, of a floating type.
        names: path of a layer's group -> the layer's own name.

    Raises:
        MissingExtraError: h5py is not installed.
        WriteError: the system refused.
    """
    require_h5py()
    import h5py

    with atomic_file(path) as temporary:
        try:
            with h5py.File(temporary, "w") as file:
                for group, name in names.items():
                    file.create_group(f"{group}/vars").attrs["name"] = name
                for inner, tensor in tensors.items():
                    flat = tensor.detach().cpu().contiguous()
                    if flat.dtype == torch.bfloat16:
                        file.create_dataset(inner, data=flat.view(torch.int16).numpy().view("V2"))
                        file[inner].attrs["dtype"] = "bfloat16"
                    else:
                        file.create_dataset(inner, data=flat.numpy())
        except RuntimeError as error:  # h5py's way of telling of a full disk when it closes a file
            raise WriteError(f"{path}: cannot be written ({error}); the previous file is unchanged") from error
