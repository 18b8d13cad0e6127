"""Export a model: build the file, hold it to the torch network, and put a whole folder in place."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albertkit.checkpoints.dense import write_dense
from albertkit.encoder.walk import full_depth
from albertkit.errors import AlbertkitError, MissingExtraError, UsageError, did_you_mean
from albertkit.hardware.device import Execution
from albertkit.inference.exported import DENSE, FORMAT_VERSION, RECORD, RUNTIMES, STATES, VECTORS
from albertkit.inference.predictor import Predictor
from albertkit.io.file_digests import sha256_of
from albertkit.io.files import atomic_folder, write_json
from albertkit.models.loaded import Model
from albertkit.models.pretrained import save_model

PRECISIONS = ("fp32", "fp16", "int12", "int8")
LIMITS: Mapping[str, float] = {"fp32": 1e-4, "fp16": 5e-2, "int12": 5e-2, "int8": 1.0}
"""The largest difference from torch in fp32 that an export may have, as a share of the largest number compared where
that is above 1. The others store weights in fewer bytes and are off by their rounding; what int8's is worth only
labelled data can say (`accept`)."""
LEAST_COSINE = 0.99
"""The least mean cosine with torch's vectors that an export's may have if vectors are the model's job and no labelled
data say what the difference is worth (`accept`)."""
_LARGEST = 2**31 - 2**20  # of a protobuf message, less room for the nodes


class ExportError(AlbertkitError):
    """An export does not give the model's numbers; it was not kept."""


@dataclass(frozen=True)
class Export:
    """What was written."""

    folder: Path
    files: tuple[str, ...]
    """Names of the network's files in the folder, and of the Dense map's."""
    bytes: int
    """Of these files."""
    max_difference: float
    """The largest difference of any output from torch in fp32, on a dozen texts."""
    notes: tuple[str, ...]
    """What the export leaves out."""
    precision: str = "fp32"
    """Of the stored weights."""
    runtime_bytes: int = 0
    """Of the JavaScript and WebAssembly that run the network in a browser."""


def export(
    model: Model,
    folder: str | os.PathLike[str],
    *,
    to: str = "onnx",
    precision: str | None = None,
    accept: Callable[[Predictor], None] | None = None,
) -> Export:
    """Write a folder that predicts without torch: the network, the tokenizer, the task.

    Args:
        model: network, tokenizer and, where it has one, task.
        folder: the folder to write; it is absent or empty.
        to: `onnx`, `openvino` or `web`.
        precision: precision of the stored weights; products are fp32 in any case. None: fp32, for `web` int12.
        accept: given the exported model before it is kept; an error that it raises is the export's.

    Raises:
        UsageError: an unknown format or precision, a folder with something in it, an unsupported head exported.
        MissingExtraError: onnx, onnxruntime or openvino is not installed.
        DownloadError: what runs a model in a browser is not here and could not or should not be fetched.
        ExportError: the file gives other numbers than torch; nothing was written.
        WriteError: the system refused.
    """
    if to not in TARGETS:
        raise UsageError(f'unknown export format "{to}"{did_you_mean(to, TARGETS)} (known: {", ".join(TARGETS)})')
    way = TARGETS[to]
    precision = precision or way.precision
    if precision not in PRECISIONS:
        raise UsageError(f'unknown precision "{precision}" of an export (known: {", ".join(PRECISIONS)})')
    target = Path(folder)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise UsageError(f"{target} already exists and is not an empty folder; give another one")
    from albertkit.exporting.difference import differences, vector_cosine
    from albertkit.exporting.web import RUNTIME_FOLDER, describe

    execution = Execution("cpu", "fp32", 1)
    with atomic_folder(target) as temporary:
        # config.json, task.json and the tokenizer, as in every other albertkit folder
        save_model(model, temporary, modules=False)
        for name in ("model.safetensors", "head.safetensors"):
            (temporary / name).unlink(missing_ok=True)
        files = way.write(model, temporary, precision)
        runtime = RUNTIMES[way.runtime](temporary / files[0], execution=execution)
        web = describe(model) if to == "web" else None
        found = differences(model, runtime, execution=execution, vectors=web is not None and web["output"] == VECTORS)
        worst = max(found, key=lambda one: one.share)
        if not worst.share <= LIMITS[precision]:  # nor nan
            raise ExportError(
                f"{target}: the exported model's {worst.output} differs by {worst.largest:.3g} from the original's, "
                f"more than {LIMITS[precision]:g}; it was deleted: run this model with torch"
            )
        is_for_vectors = model.embedding is not None if model.task is None else model.task.trains_vectors
        if accept is None and is_for_vectors:
            cosine = vector_cosine(model, runtime, execution=execution)
            if not cosine >= LEAST_COSINE:
                raise ExportError(
                    f"{target}: with --precision {precision} the vectors have a mean cosine of {cosine:.2f} with the "
                    f"original's, less than {LEAST_COSINE:g}; it was deleted: export with --precision fp16 or int12"
                )
        largest = max(one.largest for one in found)
        dense = None if model.embedding is None else model.embedding.dense
        if dense is not None:  # the Predictor applies it, as to any runtime's vectors
            write_dense(temporary / DENSE, dense)
            files = (*files, DENSE)
        write_json(
            temporary / RECORD,
            {
                "format_version": FORMAT_VERSION,
                "runtime": way.runtime,
                "precision": precision,
                **({} if dense is None else {"dense_activation": dense.activation}),
                "files": {
                    name: {"size": (temporary / name).stat().st_size, "sha256": sha256_of(temporary / name)}
                    for name in files
                },
                "outputs": [one.output for one in found],
                "max_difference": largest,
                "exported_from": model.source,
                **({} if web is None else {"web": web}),
            },
        )
        if accept is not None:
            accept(Predictor.load(temporary))
        size = sum((temporary / name).stat().st_size for name in files)
        of_runtime = sum(path.stat().st_size for path in temporary.glob(f"{RUNTIME_FOLDER}/*"))
    own = None if model.task is None else model.task.head
    left = [name for name in model.network.heads if name != own]
    notes = (f"not exported: the head {' and the head '.join(left)}",) if left else ()
    return Export(target, files, size, largest, notes, precision, of_runtime)


def onnx_model(model: Model, *, precision: str = "fp32", loop: bool = True, vectors: bool = False) -> Any:
    """Return a model as an onnx ModelProto.

    Args:
        model: network and task.
        precision: precision of the stored matrices.
        loop: run shared layers in a Loop; else each is written out, on the same weights.
        vectors: whether it gives the vectors of `embed`, too.

    Raises:
        UsageError: an unsupported head exported, or a network beyond 2 GB, protobuf's limit.
        MissingExtraError: onnx is not installed.
    """
    from albertkit.graphs.graph import Graph, check

    from albertkit.exporting.encoder import GraphWalk  # isort: skip - graph reports the missing library
    from albertkit.exporting.heads import MAP, add_head, add_vectors  # isort: skip

    config = model.config
    state = {name: tensor.float().cpu().numpy() for name, tensor in model.network.canonical_state().items()}
    spec = model.vectors
    dense = model.head.dense or (spec.dense if vectors else None)
    if dense is not None:
        state |= {f"{MAP}.weight": dense.weight, f"{MAP}.bias": dense.bias}
    graph = Graph(state, stored=precision)
    encoded = full_depth(GraphWalk(graph, config, loop=loop))
    outputs: dict[str, list[Any]] = {
        "sequence_output": ["batch", "sequence", config.hidden_size],
        "pooled_output": ["batch", config.hidden_size],
    }
    if model.task is not None:
        name, shape = add_head(graph, encoded, task=model.task, spec=model.head)
        outputs[name] = shape
    if vectors:
        add_vectors(graph, encoded, spec)
        outputs[VECTORS] = ["batch", config.hidden_size if spec.dense is None else spec.dense.out_features]
        outputs[STATES] = ["batch", "sequence", config.hidden_size]
    if graph.size > _LARGEST:
        raise UsageError(f"{model.source}: {graph.size:,} bytes of weights are more than an ONNX file holds (2 GB)")
    inputs = {name: ["batch", "sequence"] for name in ("input_ids", "attention_mask", "token_type_ids")}
    made = graph.model(
        inputs, outputs, about=f"ALBERT, exported by albertkit from {Path(model.source).name or 'memory'}"
    )
    check(made)
    return made


def _write_onnx(model: Model, folder: Path, precision: str) -> tuple[str, ...]:
    # In a loop the layers' weights are packed for the processor once, not once for each layer.
    (folder / "model.onnx").write_bytes(onnx_model(model, precision=precision).SerializeToString())
    return ("model.onnx",)


def _write_openvino(model: Model, folder: Path, precision: str) -> tuple[str, ...]:
    try:
        openvino: Any = importlib.import_module("openvino")  # which has no types
    except ImportError as error:
        raise MissingExtraError("openvino", extra="openvino", purpose="an OpenVINO model") from error
    stored = precision if precision in ("int8", "int12") else "fp32"  # to fp16 it turns them itself, below
    source = onnx_model(model, precision=stored, loop=LOOP_IN_OPENVINO).SerializeToString()
    # Not openvino.convert_model: that one reports its use to Intel.
    read = openvino.Core().read_model(source)
    openvino.save_model(read, folder / "model.xml", compress_to_fp16=precision == "fp16")
    return ("model.xml", "model.bin")


def _write_web(model: Model, folder: Path, precision: str) -> tuple[str, ...]:
    from albertkit.exporting.web import NETWORK, describe, write_page

    vectors = describe(model)["output"] != "logits"
    network = onnx_model(model, precision=precision, vectors=vectors).SerializeToString()  # before any download
    write_page(folder)
    (folder / NETWORK).parent.mkdir()
    (folder / NETWORK).write_bytes(network)
    return (NETWORK,)


LOOP_IN_OPENVINO = False
"""OpenVINO runs small layers faster when they are written out, and keeps the weights once in either case."""


@dataclass(frozen=True)
class Target:
    """A way to export."""

    runtime: str
    """What runs the file, of `RUNTIMES`."""
    precision: str
    """Of the stored weights, unless another one is given."""
    write: Callable[[Model, Path, str], tuple[str, ...]]
    """Writes the network and what belongs to it into a folder; returns the names of the network's files."""


TARGETS: Mapping[str, Target] = {
    "onnx": Target("onnx", "fp32", _write_onnx),
    "openvino": Target("openvino", "fp32", _write_openvino),
    "web": Target("onnx", "int12", _write_web),
}
