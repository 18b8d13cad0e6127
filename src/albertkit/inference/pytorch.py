"""PyTorch as a runtime: a Batch in, NumPy arrays out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from albertkit.batching.batch import Batch
from albertkit.config import HEAD_POOLINGS
from albertkit.data.sample_text import sample_texts
from albertkit.encoder.encoder import EncoderOutput
from albertkit.encoder.int8_products import with_int8_products
from albertkit.encoder.prepared import PreparedEncoder, can_prepare
from albertkit.errors import UsageError
from albertkit.hardware.device import Execution
from albertkit.hardware.processor import capabilities
from albertkit.models.loaded import Model
from albertkit.tasks.network import Network
from albertkit.tasks.objective import objective_of
from albertkit.tasks.pooling import FIRST, head_states, pooled_features, reads_first_only
from albertkit.tasks.task import Task


class PyTorchRuntime:
    """Runs a network without gradients; several threads may.

    Args:
        network: encoder and heads; put onto the device. It runs in evaluation mode whatever its own mode, which stays.
        execution: device, precision, threads.
        task: whose head gives `logits`; None when there is no task head.
        pooling: what a head reads that takes one vector of each sequence, of `HEAD_POOLINGS`.
        sample: for int8: gives ordinary text, on which the scales are measured before the first batch.
        fixed_weights: whether nobody changes the network's weights, so that no batch looks whether they have changed:
            the look reads every byte, which takes a sixth of the time of a short text.

    Raises:
        UsageError: int8 is asked for where there is no sample, or the network is on the meta device.
    """

    def __init__(
        self,
        network: Network,
        *,
        execution: Execution,
        task: Task | None = None,
        pooling: str = "pooler",
        sample: Callable[[], Batch] | None = None,
        fixed_weights: bool = False,
    ) -> None:
        if execution.precision == "int8" and sample is None:
            raise UsageError("int8 works only for prediction without early exits; use --precision auto")
        network.require_numbers()
        self.sample = sample
        self.fixed_weights = fixed_weights
        self.network = network.to(execution.torch_device)
        self.execution = execution
        self.head = None if task is None else task.head
        self.objective = None if task is None else objective_of(task)
        self.pooling = pooling
        self._prepared: PreparedEncoder | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled or copied; the packed weights are made again from the network."""
        return {**self.__dict__, "_prepared": None}

    def run(self, batch: Batch, *, outputs: Collection[str]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the named outputs as fp32 arrays.

        Args:
            batch: packed sequences.
            outputs: some of `sequence_output` `[tokens, hidden]`, `pooled_output` or a pooling `[sequences,
                width]`, `logits` `[sequences, outputs]` (of a head on tokens `[tokens, outputs]`), `mlm_logits`
                `[tokens, vocabulary]`, `sop_logits` `[sequences, 2]`.
        """
        network = self.network.in_evaluation_mode()
        autocast = nullcontext() if self.execution.predicts_only else self.execution.autocast()
        with torch.inference_mode(), autocast:
            encoded = self._encode(network, batch, outputs)
            found: dict[str, Any] = {}
            for name in outputs:
                if name == "logits":
                    assert self.objective is not None
                    assert self.head is not None
                    # The head is small: in full precision it costs nothing and keeps close calls right.
                    with torch.autocast(self.execution.torch_device.type, enabled=False):
                        found[name] = self.objective.outputs(
                            network.heads[self.head],
                            head_states(encoded, reads=self.objective.reads, pooling=self.pooling),
                            lengths=batch.lengths,
                            segments=batch.token_type_ids,
                        )
                elif name == "mlm_logits":
                    found[name] = network.masked_piece_logits(encoded.sequence_output)
                elif name == "sop_logits":
                    found[name] = network.heads["sop"](encoded.pooled_output)
                elif name in HEAD_POOLINGS:
                    found[name] = pooled_features(encoded, pooling=name)
                else:
                    found[name] = getattr(encoded, name)
        return {name: tensor.float().cpu().numpy() for name, tensor in found.items()}

    def _encode(self, network: Network, batch: Batch, outputs: Collection[str]) -> EncoderOutput:
        prepared = self.prepared()
        first_only = all(self._reads_first(name) for name in outputs)
        if prepared is None:
            kept = network.encoder.embeddings.word.weight.dtype
            if self._dtype is torch.bfloat16 and kept is not torch.float32:
                raise UsageError(
                    f"weights in {str(kept).removeprefix('torch.')} cannot run in bf16 here: call .float() on the "
                    "network first, or use precision fp32"
                )
            encoded: EncoderOutput = network(batch, first_only=first_only)
            return encoded
        with torch.autocast("cpu", enabled=False):
            return prepared(batch, first_only=first_only, threads=self.execution.threads)

    @property
    def _dtype(self) -> torch.dtype:
        precision = self.execution.precision
        if precision == "int8":  # of the products that are not
            found = capabilities()
            precision = "bf16" if found.int8 else "fp16" if found.fbgemm else "fp32"
        return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)

    def prepared(self) -> PreparedEncoder | None:
        """Return the encoder prepared for this processor, with its current weights; None where it cannot be."""
        if self.execution.precision != "int8" and not can_prepare(self.execution.torch_device, self._dtype):
            return None
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            prepared = self._prepared
            if prepared is None or not (self.fixed_weights or prepared.is_current()):
                prepared = PreparedEncoder(self.network.encoder, dtype=self._dtype)
                if self.execution.precision == "int8":
                    assert self.sample is not None
                    with_int8_products(prepared, self.sample())
                self._prepared = prepared  # only now: another thread may be predicting, too
        return prepared

    def _reads_first(self, output: str) -> bool:
        """Return whether an output reads only the first tokens' states."""
        if output == "logits":
            return self.objective is not None and reads_first_only(reads=self.objective.reads, pooling=self.pooling)
        return output in ("pooled_output", "sop_logits", *FIRST)


def runtime_of(model: Model, execution: Execution, *, fixed_weights: bool = False) -> PyTorchRuntime:
    """Return the runtime of a model, whose int8 scales are measured on ordinary text.

    Args:
        model: network, tokenizer, task.
        execution: device, precision, threads.
        fixed_weights: see `PyTorchRuntime`.
    """
    return PyTorchRuntime(
        model.network,
        execution=execution,
        task=model.task,
        pooling=model.head.pooling,
        sample=partial(_sample, model),
        fixed_weights=fixed_weights,
    )


def _sample(model: Model) -> Batch:
    longest = model.config.max_position_embeddings
    return Batch.pack(model.tokenizer.sequences(sample_texts(), max_length=min(longest, 512)))
