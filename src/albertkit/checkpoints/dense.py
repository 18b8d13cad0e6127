"""Dense: a linear map that follows the pooling of a text's vector, as sentence-transformers has it. Without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.errors import CheckpointError, UsageError
from albertkit.io.files import atomic_file

FloatArray = npt.NDArray[np.float32]
ACTIVATIONS: Mapping[str, Callable[[FloatArray], FloatArray]] = {"identity": lambda values: values, "tanh": np.tanh}
"""What may follow the linear map, by name."""


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class Dense:
    """A linear map with its activation.

    >>> Dense(np.array([[2, 0]], np.float32), np.ones(1, np.float32))(np.array([3, 4], np.float32)).tolist()
    [7.0]

    Raises:
        UsageError: shapes that do not fit, numbers that are not finite, or an unknown activation.
    """

    weight: FloatArray
    """`[out, in]`."""
    bias: FloatArray
    """`[out]`; zeros where the files have none."""
    activation: str = "identity"
    """One of `ACTIVATIONS`."""

    def __post_init__(self) -> None:
        if not isinstance(self.activation, str) or self.activation not in ACTIVATIONS:
            raise UsageError(
                f'a Dense map has the activation "{self.activation!s:.60}"; known are {", ".join(ACTIVATIONS)}'
            )
        if self.weight.ndim != 2 or not self.weight.size or self.bias.shape != self.weight.shape[:1]:
            raise UsageError(
                f"a Dense map has a weight of shape {list(self.weight.shape)} and a bias of {list(self.bias.shape)}; "
                "they must be [out, in] and [out]"
            )
        if not (np.isfinite(self.weight).all() and np.isfinite(self.bias).all()):
            raise UsageError("a Dense map holds numbers that are not finite")

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """Return vectors `[.., in]` mapped, `[.., out]`."""
        return ACTIVATIONS[self.activation](vectors @ self.weight.T + self.bias)

    @property
    def in_features(self) -> int:
        """Numbers of a vector that it reads."""
        return int(self.weight.shape[1])

    @property
    def out_features(self) -> int:
        """Numbers of a vector that it gives."""
        return int(self.weight.shape[0])

    def equals(self, other: Dense | None) -> bool:
        """Return whether another map is the same, bit for bit."""
        return (
            other is not None
            and self.activation == other.activation
            and np.array_equal(self.weight, other.weight)
            and np.array_equal(self.bias, other.bias)
        )

    def require_width(self, width: int, *, where: str) -> None:
        """Check that it reads vectors of `width` numbers.

        Raises:
            CheckpointError: it reads others.
        """
        if self.in_features != width:
            raise CheckpointError(
                f"{where}: the Dense module reads vectors of {self.in_features} numbers, and the pooled ones have "
                f"{width}; the files are not from the same model"
            )


def write_dense(path: Path, dense: Dense) -> None:
    """Write a map as an .npy file, `[out, in + 1]`: the weight, and the bias as its last column.

    Raises:
        WriteError: the system refused.
    """
    with atomic_file(path) as temporary, open(temporary, "wb") as file:
        np.save(file, np.column_stack([dense.weight, dense.bias]), allow_pickle=False)


def read_dense(path: Path, *, activation: Any) -> Dense:
    """Read what `write_dense` wrote.

    Args:
        path: the file.
        activation: one of `ACTIVATIONS`; the file does not say it.

    Raises:
        CheckpointError: the file is missing, damaged, or holds something else.
    """
    try:
        # Mapped: a header that claims more than the file has takes no memory.
        found = np.array(np.load(path, mmap_mode="r", allow_pickle=False), np.float32)
        if found.ndim != 2:
            raise ValueError(f"an array of {found.ndim} dimensions")
        return Dense(np.ascontiguousarray(found[:, :-1]), found[:, -1].copy(), activation)
    except (OSError, ValueError, EOFError, UsageError) as error:
        raise CheckpointError(
            f"{path}: cannot be read as a Dense map ({error!s:.200}); export the model again"
        ) from error
