"""Ways to encode texts: transformers, OpenVINO and ONNX Runtime on one saved model, in padded batches."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.hardware.processor import capabilities

BATCH = 32
"""Texts of a peer's batch."""
INPUTS = ("input_ids", "attention_mask", "token_type_ids")

Vectors = npt.NDArray[np.float32]
Run = Callable[[Sequence[TokenSequence]], Vectors]


@dataclass(frozen=True)
class Contender:
    """One way to encode texts."""

    name: str
    """`albertkit`, or the peer."""
    precision: str
    mode: str
    """`packed`; `as-is`: batches of 32 as the texts come; `sorted`: by length; `sorted, compiled`."""
    run: Run

    @property
    def key(self) -> str:
        """Name in `details`."""
        return f"{self.name} {self.precision} {self.mode}"


def padded(sequences: Sequence[TokenSequence], mode: str) -> Iterator[tuple[npt.NDArray[np.int64], dict[str, Any]]]:
    """Return batches of 32, in the texts' order or by length, with the numbers of their texts."""
    order = np.arange(len(sequences))
    if mode.startswith("sorted"):
        order = np.argsort([-len(sequence) for sequence in sequences], kind="stable")
    for start in range(0, len(order), BATCH):
        numbers = order[start : start + BATCH]
        width = max(len(sequences[number]) for number in numbers)
        ids = np.zeros((len(numbers), width), np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        for row, number in enumerate(numbers):
            length = len(sequences[number])
            ids[row, :length], mask[row, :length] = sequences[number].input_ids, 1
        yield numbers, {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def by_batches(call: Callable[[dict[str, Any]], Vectors], mode: str) -> Run:
    """Return a run of padded batches."""

    def run(sequences: Sequence[TokenSequence]) -> Vectors:
        found: Vectors | None = None
        for numbers, batch in padded(sequences, mode):
            vectors = call(batch)
            found = np.zeros((len(sequences), vectors.shape[1]), np.float32) if found is None else found
            found[numbers] = vectors
        assert found is not None
        return found

    return run


def of_transformers(folder: Path, *, compiled: bool) -> Iterator[Contender]:
    """Return transformers as its users run it, and at its best: sorted, fused attention, bf16 autocast, compiled.

    Args:
        folder: a model folder.
        compiled: also by `torch.compile`, for any length; that takes minutes and a C++ compiler.
    """
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    ways = [("fp32", "as-is"), ("fp32", "sorted"), ("bf16", "sorted")]
    if compiled:
        ways += [("fp32", "sorted, compiled"), ("bf16", "sorted, compiled")]
    for precision, mode in ways:
        if precision == "bf16" and not capabilities().bf16:
            continue
        peer = transformers.AlbertModel.from_pretrained(folder, attn_implementation="sdpa").eval()
        if mode.endswith("compiled"):
            peer = torch.compile(peer, dynamic=True)

        def call(batch: dict[str, Any], peer: Any = peer, precision: str = precision) -> Vectors:
            given = {name: torch.from_numpy(array) for name, array in batch.items()}
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                vectors: Vectors = peer(**given).pooler_output.float().numpy()
            return vectors

        yield Contender("transformers", precision, mode, by_batches(call, mode))


def of_openvino(folder: Path, threads: int) -> Iterator[Contender]:
    """Return OpenVINO on the network that it converts from transformers, tuned for throughput of sorted batches."""
    if importlib.util.find_spec("openvino") is None:
        return
    import openvino
    import transformers

    peer = transformers.AlbertModel.from_pretrained(folder, attn_implementation="sdpa").eval()
    example = {name: torch.ones(2, 8, dtype=torch.int64) for name in INPUTS}
    network = openvino.convert_model(peer, example_input=example)
    for precision, hint in (("fp32", "f32"), ("bf16", "bf16")):
        if precision == "bf16" and not capabilities().bf16:
            continue
        settings = {
            "INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads,
        }  # fmt: skip
        compiled = openvino.Core().compile_model(network, "CPU", settings)

        def call(batch: dict[str, Any], compiled: Any = compiled) -> Vectors:
            return np.asarray(compiled(batch)[1], np.float32)

        yield Contender("openvino", precision, "sorted", by_batches(call, "sorted"))


class _Pooled(torch.nn.Module):
    """transformers' network with only its pooled output."""

    def __init__(self, peer: torch.nn.Module) -> None:
        super().__init__()
        self.peer = peer

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor) -> Any:
        output = self.peer(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        return output.pooler_output


def of_onnxruntime(folder: Path, threads: int) -> Iterator[Contender]:
    """Return ONNX Runtime on torch's own export of transformers, in fp32 and with its dynamic int8 quantization."""
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("onnx") is None:
        return
    import logging

    import onnxruntime
    import transformers
    from onnxruntime.quantization import quantize_dynamic

    logging.getLogger().setLevel(logging.ERROR)
    peer = transformers.AlbertModel.from_pretrained(folder, attn_implementation="eager").eval()
    free: dict[str, dict[int, str]] = {name: {0: "batch", 1: "length"} for name in INPUTS}
    torch.onnx.export(
        _Pooled(peer),
        tuple(torch.ones(2, 8, dtype=torch.int64) for _ in INPUTS),
        str(folder / "fp32.onnx"),
        input_names=list(INPUTS),
        output_names=["pooled"],
        dynamic_axes={**free, "pooled": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(folder / "fp32.onnx", folder / "int8.onnx")
    for precision in ("fp32", "int8"):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            str(folder / f"{precision}.onnx"), options, providers=["CPUExecutionProvider"]
        )

        def call(batch: dict[str, Any], session: Any = session) -> Vectors:
            return np.asarray(session.run(None, batch)[0], np.float32)

        yield Contender("onnxruntime", precision, "sorted", by_batches(call, "sorted"))
