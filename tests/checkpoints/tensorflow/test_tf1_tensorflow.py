"""TensorFlow itself loads what we write, and we load what it writes; opt in with ALBERTKIT_TENSORFLOW_PYTHON."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from albertkit.checkpoints.tensorflow.tensor_bundle import read_bundle
from checkpoints.tensorflow.tf1_folders import (
    NAME,
    made,
    variables,
    written,
)


@pytest.fixture(scope="module")
def tensorflow() -> Callable[..., dict[str, Any]]:
    interpreter = os.environ.get("ALBERTKIT_TENSORFLOW_PYTHON")
    if not interpreter:
        pytest.skip("ALBERTKIT_TENSORFLOW_PYTHON names no Python interpreter that has TensorFlow")

    def run(*arguments: str) -> dict[str, Any]:
        program = Path(__file__).with_name("tensorflow_loads.py")
        done = subprocess.run(
            [str(interpreter), str(program), *arguments],
            capture_output=True, text=True, check=False, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    return run


@pytest.mark.slow
@pytest.mark.parametrize("heads", [("mlm", "sop"), ("answer",), ("classifier",)])
def test_tensorflow_loads_what_we_write(
    tensorflow: Callable[..., dict[str, Any]], tmp_path: Path, heads: tuple[str, ...]
) -> None:
    written(tmp_path, made(*heads, vocab_size=30011, dtype=torch.bfloat16))
    found = tensorflow("load", str(tmp_path / NAME))
    ours = variables(tmp_path)
    assert found == {
        name: {
            "shape": list(tensor.shape),
            "dtype": "float32",
            "sha256": hashlib.sha256(tensor.numpy().tobytes()).hexdigest(),
        }
        for name, tensor in ours.items()
    }


@pytest.mark.slow
def test_we_load_what_tensorflow_writes(tensorflow: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    tensorflow("save", str(tmp_path / "model.ckpt"))
    read = read_bundle(tmp_path / "model.ckpt")
    assert torch.equal(read.tensor("whole"), torch.arange(2100, dtype=torch.float32).view(700, 3))
    assert len(read.entries["whole"].slices) == 4
    assert read.bytes("a_text") == b"odd"
    assert read.tensor("scalar").item() == -7
    values = torch.arange(6).view(2, 3) % 5
    for name in ("bfloat16", "float16", "float64", "bool", "uint8"):
        tensor = read.tensor(f"typed/{name}")
        assert str(tensor.dtype) == f"torch.{name}"
        assert torch.equal(tensor, values.to(tensor.dtype))
