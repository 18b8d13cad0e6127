"""Check what a PyTorch file allocates before loading it: a small file must not take all memory.

`torch.load(weights_only=True)` runs no code, and still unpacks compressed records, makes arrays of any size and every
kind of tensor. A state_dict needs none of that: its records are stored as they are, and its pickle names storages,
`_rebuild_tensor_v2` and OrderedDict.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
from pathlib import Path

import torch

_MOST_RECORDS = 20_000
_MOST_PICKLE = 16 * 2**20  # bytes; those of a state_dict have some ten thousand
_MOST_STEPS = 200_000
_PICKLES_OF_OLD = 5  # magic number, protocol, system, the object, names of storages
_GLOBALS = {
    "collections OrderedDict",
    "torch._utils _rebuild_parameter",
    "torch._utils _rebuild_tensor",
    "torch._utils _rebuild_tensor_v2",
}


class NotAStateDictError(Exception):
    """A file that `torch.save` would not write for a state_dict; the text is the end of a sentence."""


def check_file(path: Path) -> None:
    """Refuse a file of `torch.save` that is more than a state_dict.

    Raises:
        NotAStateDictError: it would take more memory than a model.
        pickle.UnpicklingError: its pickle is damaged, or names other objects than tensors.
        OSError: the file cannot be read.
    """
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            _check_pickles(file.read(_MOST_PICKLE), count=_PICKLES_OF_OLD)
        return
    with zipfile.ZipFile(path) as archive:
        records = archive.infolist()
        if len(records) > _MOST_RECORDS:
            raise NotAStateDictError(f"holds {len(records)} records, more than a model has")
        if any(record.compress_type != zipfile.ZIP_STORED or record.flag_bits & 1 for record in records):
            raise NotAStateDictError("holds compressed records, which torch.save does not write")
        if sum(record.file_size for record in records) > path.stat().st_size:
            raise NotAStateDictError("claims records that are larger than the file")
        for record in records:
            if record.filename.endswith(".pkl"):
                if record.file_size > _MOST_PICKLE:
                    raise NotAStateDictError(f"has a pickle of {record.file_size} bytes, more than a model has")
                _check_pickles(archive.read(record), count=1)


def check_tensor(tensor: torch.Tensor) -> str | None:
    """Return what is wrong with a tensor that was read, as the end of a sentence; None where nothing is."""
    if tensor.layout is not torch.strided or tensor.is_nested or tensor.is_quantized or tensor.device.type != "cpu":
        return "is not a plain array (but sparse, nested, quantized or without values)"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return f"repeats few values to the shape {list(tensor.shape)}, which would take more memory than the file has"
    return None


def _check_pickles(content: bytes, *, count: int) -> None:
    stream = io.BytesIO(content)
    steps = 0
    for _ in range(count):
        try:
            for opcode, argument, _place in pickletools.genops(stream):
                steps += 1
                named = opcode.name == "GLOBAL" and str(argument)
                if named and named not in _GLOBALS and not _is_storage(named):
                    raise pickle.UnpicklingError(f"holds an object of {named.replace(' ', '.'):.80}")
                if steps > _MOST_STEPS:
                    raise NotAStateDictError("has a pickle of more steps than any model needs")
        except (NotAStateDictError, pickle.UnpicklingError):
            raise
        except Exception as error:  # the pickle breaks off, or is none
            raise pickle.UnpicklingError("cannot be read as a pickle") from error


def _is_storage(named: str) -> bool:
    module, _, name = named.partition(" ")
    return module in ("torch", "torch.storage", "torch.cuda") and name.endswith("Storage")
