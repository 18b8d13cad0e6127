"""The program that lists what an HDF5 file holds, run by `keras_hdf5.py` in a process of its own.

The HDF5 library is C, and a damaged or hostile file may crash it, hang it or make it take all memory. Here it can: this
process has limits, holds nothing of value, and only reports offsets. It prints one JSON document,
`{"datasets": [{path, dtype, shape, offset, bfloat16}], "names": {group: layer name}}` or `{"refused": a reason}`.

Only what Keras writes is taken: groups and contiguous datasets reached by hard links. A soft or external link, an
external file, a virtual dataset could name another file of this machine, and a compressed one could be a bomb.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.pop(0)  # the folder of this file, whose names (bson, keras) are not meant as top-level modules

import json
import os
import time
from typing import Any

import h5py

_OBJECTS = 20_000  # a preset of 64 layers with weights of their own has less than 4,000
_DEPTH = 16
_PATH = 500  # characters
_NAME = 1024  # bytes of an attribute
_MEMORY = 256 << 20  # bytes beyond what the libraries hold
_SECONDS = 2  # of processor time, whole ones


class RefusedError(Exception):
    """What the file holds is not what Keras writes."""


def limit_this_process() -> None:
    """Bound memory and processor time, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, resource.RLIM_INFINITY))
    except (OSError, ValueError):
        pass
    limit = int(time.process_time()) + _SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def listed(path: str) -> dict[str, Any]:
    """Walk over one file; see the top of the module for what comes back.

    Raises:
        RefusedError: something that Keras does not write.
    """
    datasets: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    with h5py.File(path, "r") as file:
        pending: list[tuple[str, Any, int]] = [("", file["/"], 0)]
        seen: set[int] = set()
        while pending:
            prefix, group, depth = pending.pop()
            for name in group:
                inner = f"{prefix}{name}"
                if len(inner) > _PATH or depth >= _DEPTH:
                    raise RefusedError(f'"{inner:.60}.." is nested deeper than Keras nests')
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise RefusedError(f'"{inner}" is a link to somewhere else, which Keras does not write')
                item = group[name]
                address = int(h5py.h5o.get_info(item.id).addr)
                if address in seen:
                    raise RefusedError(f'"{inner}" is a second name of one object, which Keras does not write')
                seen.add(address)
                if len(seen) > _OBJECTS:
                    raise RefusedError(f"it has more than {_OBJECTS} objects")
                if isinstance(item, h5py.Dataset):
                    datasets.append(described(inner, item))
                elif isinstance(item, h5py.Group):
                    if name == "vars" and (label := text_attribute(item, "name")) is not None:
                        names[prefix.rstrip("/")] = label
                    pending.append((f"{inner}/", item, depth + 1))
                else:
                    raise RefusedError(f'"{inner}" is a named type, which Keras does not write')
    return {"datasets": datasets, "names": names}


def described(path: str, dataset: Any) -> dict[str, Any]:
    """Return the location of one dataset, without reading it."""
    plan = dataset.id.get_create_plist()
    if plan.get_layout() != h5py.h5d.CONTIGUOUS or plan.get_external_count() or plan.get_nfilters():
        raise RefusedError(f'"{path}" is chunked, compressed or kept in another file, which Keras does not do')
    if dataset.shape is None:
        raise RefusedError(f'"{path}" is empty')
    return {
        "path": path,
        "dtype": dataset.dtype.str,
        "shape": list(dataset.shape),
        "offset": dataset.id.get_offset(),
        # Keras keeps bfloat16 as two opaque bytes with this mark (keras/src/saving/saving_lib.py, H5IOStore).
        "bfloat16": dataset.dtype.str == "|V2" and text_attribute(dataset, "dtype") == "bfloat16",
    }


def text_attribute(item: Any, name: str) -> str | None:
    """Return a short text attribute, or None."""
    if name not in item.attrs or item.attrs.get_id(name).get_storage_size() > _NAME:
        return None
    value = item.attrs[name]
    return value[:_NAME] if isinstance(value, str) else None


def main() -> None:
    """List the file that the first argument names."""
    limit_this_process()
    try:
        answer = listed(sys.argv[1])
    except RefusedError as refusal:
        answer = {"refused": str(refusal)}
    except Exception as error:  # h5py raises whatever the C library's state suggests
        answer = {"refused": f"the HDF5 library says: {' '.join(str(error).split())[:200]}"}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
