"""Exported models: folders with an ONNX or OpenVINO file that predict without torch.

model.onnx (or model.xml, model.bin)   the network; onnx/model.onnx in a folder with a page
spiece.model, tokenizer.json, ..       the tokenizer
config.json, task.json                 its shape; labels, lengths, thresholds
dense.npy                              the map of a text's pooled vector, of a model that declares one
export.json                            which runtime, and the digests of the network's files and of the map
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albertkit.batching.batch import Batch
from albertkit.checkpoints.dense import read_dense
from albertkit.checkpoints.json_files import read_mapping, read_versioned
from albertkit.checkpoints.label_names import agreed_labels, id2label_names
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError
from albertkit.hardware.device import Execution
from albertkit.inference.running import FloatArray, Runtime
from albertkit.io.file_digests import sha256_of
from albertkit.models.loaded import ExportedNetwork, Model, read_task_values
from albertkit.models.tokenizers import read_tested_directory
from albertkit.registry import Registry
from albertkit.tasks.pooling import pooled_rows

RECORD = "export.json"
DENSE = "dense.npy"
VECTORS, STATES = "sentence_embedding", "last_hidden_state"
"""Names of outputs for other programs: the vectors of `embed` and the hidden states; transformers.js reads both."""
FORMAT_VERSION = 1
RUNTIMES: Registry[Callable[..., Runtime]] = Registry(
    "runtime",
    group="albertkit.runtimes",
    table={
        "onnx": "albertkit.inference.onnx:OnnxRuntime",
        "openvino": "albertkit.inference.openvino:OpenVinoRuntime",
    },
)
"""What runs an exported file, by its name in `export.json`."""


@dataclass(frozen=True)
class ExportedRuntime:
    """Runs an exported file, and pools the hidden states that it gives."""

    file: Runtime
    """What runs the file: `sequence_output`, `pooled_output` and `logits`."""

    def run(self, batch: Batch, *, outputs: Collection[str]) -> dict[str, FloatArray]:
        """Return the named outputs, see `Runtime.run`."""
        in_file = {name: _IN_FILE.get(name, name) for name in outputs}
        found = self.file.run(batch, outputs=list(dict.fromkeys(in_file.values())))
        return {
            name: pooled_rows(found[own], batch, pooling=name) if name in ("cls", "mean") else found[own]
            for name, own in in_file.items()
        }


_IN_FILE = {"pooler": "pooled_output", "cls": "sequence_output", "mean": "sequence_output"}
"""Pooling -> the output of the file that it is made of."""


def exported_folder(name: str | os.PathLike[str]) -> Path | None:
    """Return the folder of an exported model, or None where `name` means something else."""
    path = Path(name)
    return path if (path / RECORD).is_file() else None


def load_exported(folder: Path, *, execution: Execution) -> tuple[Model, ExportedRuntime]:
    """Load an exported model.

    Args:
        folder: see `exported_folder`.
        execution: only its number of threads is used: exported models run on the processor, in fp32.

    Returns:
        The model, whose network is an `ExportedNetwork`, and its runtime.

    Raises:
        CheckpointError: a file is missing, damaged or of a newer albertkit.
        MissingExtraError: the library that runs it is not installed.
    """
    record = read_versioned(folder / RECORD, newest=FORMAT_VERSION)
    runtime, files = record.get("runtime"), record.get("files")
    if not isinstance(runtime, str) or runtime not in RUNTIMES or not isinstance(files, dict) or not files:
        raise CheckpointError(
            f"{folder / RECORD}: names no runtime and files that are known here; export the model again"
        )
    for name, entry in files.items():
        _check(folder, name, entry)
    shape = folder / "config.json"
    published = read_mapping(shape)
    config = AlbertConfig.from_dict(published, where=str(shape))
    tokenizer, notes = read_tested_directory(folder)
    task = folder / "task.json"
    values = read_versioned(task, newest=FORMAT_VERSION) if task.is_file() else {}
    dense = read_dense(folder / DENSE, activation=record.get("dense_activation")) if DENSE in files else None
    said = read_task_values(values, positions=config.max_position_embeddings, where=str(folder), dense=dense)
    if dense is not None:
        dense.require_width(config.hidden_size, where=str(folder / DENSE))
    labels = said.labels
    if labels:
        named = id2label_names(published, where=str(shape))
        labels = agreed_labels(labels, named or labels, where=str(folder))
    running = ExportedRuntime(RUNTIMES[runtime](folder / next(iter(files)), execution=execution))
    network = ExportedNetwork(config, runtime, str(folder))
    model = Model(network, tokenizer, said.task, labels, said.head, said.max_length, str(folder), notes, said.embedding)
    return model, running


def _check(folder: Path, name: str, entry: Mapping[str, Any]) -> None:
    path = folder / name
    # A name with ".." or a root in it could point anywhere on the machine.
    parts = name.split("/")
    if any(part != Path(part).name or part in ("", ".", "..") for part in parts) or not isinstance(entry, dict):
        raise CheckpointError(f'{folder / RECORD}: names the file "{name}", which is not a name in its folder')
    if not path.is_file():
        raise CheckpointError(f"{path}: the file is missing; copy the whole folder, or export the model again")
    # The readers of these formats are C++ that trusts its input: what is damaged does not reach them.
    if path.stat().st_size != entry.get("size") or sha256_of(path) != entry.get("sha256"):
        raise CheckpointError(f"{path}: is damaged, it is not the file that was exported; copy it or export it again")
