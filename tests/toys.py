"""One more of everything but a task: what the rows of CONTRIBUTING's table ask for, as small as it can be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from safetensors.torch import load_file, save_file

from albertkit.batching.batch import Batch
from albertkit.checkpoints import READ_AS_IT_IS, Checkpoint, ReadOptions
from albertkit.config import AlbertConfig
from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset, DataSource
from albertkit.hardware.device import Execution
from albertkit.inference.pytorch import PyTorchRuntime
from albertkit.models.pretrained import load_model
from albertkit.scoring.metrics import Measured


def open_lines(name: str, *, data_dir: Path | None, skip_bad_rows: bool) -> DataSource:
    """Open a folder with a file train.txt: a label, a blank and a text per line."""
    assert data_dir is not None
    assert not skip_bad_rows
    lines = [line.split(" ", 1) for line in (data_dir / "train.txt").read_text().splitlines()]
    labels, metrics = ("no", "yes"), ("accuracy",)

    def load(split: str) -> Dataset:
        rows = [TextExample(text, label=labels.index(label)) for label, text in lines]
        return Dataset(name, split, "classification", labels, metrics, rows)

    return DataSource(name, "classification", labels, metrics, ("train",), load)


class ToyFormat:
    """A folder with shape.json and weights.safetensors under canonical names."""

    holds = "shape.json and weights.safetensors"
    writes = "folder"

    def matches(self, path: Path) -> bool:
        """Tell whether it is one."""
        return (path / "shape.json").is_file()

    def read(self, path: Path, options: ReadOptions = READ_AS_IT_IS) -> Checkpoint:
        """Read the files as they are."""
        assert options == READ_AS_IT_IS
        config = AlbertConfig(**json.loads((path / "shape.json").read_text()))
        return Checkpoint(config, load_file(path / "weights.safetensors"), source_format="toy", source=str(path))

    def write(self, checkpoint: Checkpoint, target: Path) -> None:
        """Write both files."""
        (target / "shape.json").write_text(json.dumps(vars(checkpoint.config)))
        save_file(dict(checkpoint.state), target / "weights.safetensors")


def halved_accuracy(
    labels_true: npt.NDArray[Any], *, outputs: npt.NDArray[Any], task: str, num_labels: int
) -> Measured:
    """Return half of the accuracy."""
    assert (task, num_labels) == ("classification", 2)
    return Measured(50 * float((labels_true == outputs).mean()), "a toy")


class ToyRuntime:
    """Runs the model whose folder a file names."""

    def __init__(self, path: Path, *, execution: Execution) -> None:
        model = load_model(path.read_text())
        self.torch = PyTorchRuntime(model.network, execution=execution, task=model.task, pooling=model.head.pooling)

    def run(self, batch: Batch, *, outputs: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the named outputs of the batch."""
        return self.torch.run(batch, outputs=outputs)


@click.command(epilog="Example: albertkit count word --json")
@click.argument("text")
@click.option("--json", "as_json", is_flag=True)
def count(text: str, as_json: bool) -> None:
    """Characters of a text."""
    if not text:
        raise click.UsageError("give a text")
    click.echo(json.dumps({"characters": len(text)}) if as_json else f"{len(text)} characters")


TOY_FORMAT = ToyFormat()
