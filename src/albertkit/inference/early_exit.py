"""PyTorch as a runtime from which texts leave early: a Batch in, logits out, each from the layer that sufficed."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from albertkit.batching.batch import Batch, IntArray
from albertkit.batching.cutting import cut_evenly, put_back
from albertkit.encoder.early_exit import BoolArray, Decide, FloatArray, Left, leave_early
from albertkit.encoder.encoder import EncoderOutput, EncoderWalk
from albertkit.encoder.prepared import PreparedEncoder, PreparedWalk
from albertkit.encoder.workers import on_workers
from albertkit.errors import UsageError
from albertkit.hardware.device import Execution
from albertkit.inference.pytorch import PyTorchRuntime
from albertkit.tasks.classification.exits import EXITS, every_head
from albertkit.tasks.exit_rules import ExitRule
from albertkit.tasks.network import Network
from albertkit.tasks.pooling import FIRST, head_states
from albertkit.tasks.task import Task

_PART_TOKENS = 1024
"""Tokens of a part that runs through the layers on one core: it shrinks on its way, so it begins large."""


class EarlyExitRuntime:
    """Runs a network with exits; `logits` come early, every other output from full depth.

    Args:
        network: with the head of the task and `exits`; put onto the device, see `PyTorchRuntime`.
        execution: device, precision, threads.
        task: classification, regression or multilabel.
        pooling: what the heads read, of `albertkit.config.HEAD_POOLINGS`.
        rule: when a text leaves.
        source: the model's name, for messages.

    Raises:
        UsageError: the network has no exits, or the task cannot follow the rule.
    """

    def __init__(
        self, network: Network, *, execution: Execution, task: Task, pooling: str, rule: ExitRule, source: str = "it"
    ) -> None:
        if EXITS not in network.heads:
            raise UsageError(f"{source} has no early exits: fine-tune it with --exits")
        if execution.precision == "int8":
            raise UsageError(
                "--precision int8 cannot be used with early exits; leave it out, or --exit-patience and --entropy"
            )
        rule.watch(task)  # or says why not
        self.whole = PyTorchRuntime(network, execution=execution, task=task, pooling=pooling)
        self.network = self.whole.network
        self.execution = execution
        self.task = task
        self.pooling = pooling
        self.rule = rule
        self.layers = np.zeros(network.config.num_hidden_layers, np.int64)
        """How many sequences left after each layer, of all batches so far."""

    @property
    def mean_layers(self) -> float:
        """Layers that a sequence passed, on average; 0 before the first batch."""
        numbers = np.arange(1, len(self.layers) + 1)
        return float((self.layers * numbers).sum() / max(self.layers.sum(), 1))

    def run(self, batch: Batch, *, outputs: Collection[str]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the named outputs as fp32 arrays, see `PyTorchRuntime.run`; only `logits` exit early."""
        others = [name for name in outputs if name != "logits"]
        found = self.whole.run(batch, outputs=others) if others else {}
        if "logits" in outputs:
            left = self._leave(batch)
            self.layers += np.bincount(left.layers, minlength=len(self.layers) + 1)[1:]
            found["logits"] = left.rows
        return found

    def _leave(self, batch: Batch) -> Left:
        network = self.network.in_evaluation_mode()
        heads = every_head(network, head=self.task.head)
        first_only, pooled = self.pooling in FIRST, self.pooling == "pooler"
        network.encoder.check(batch)
        prepared = self.whole.prepared()
        with torch.inference_mode():
            if prepared is not None:
                return self._in_parts(prepared, batch, heads, first_only=first_only, pooled=pooled)
            with self.execution.autocast():
                walk = EncoderWalk(network.encoder, batch, first_only=first_only, pooled=pooled)
                return leave_early(walk, decide=self._decide(heads))

    def _in_parts(
        self, prepared: PreparedEncoder, batch: Batch, heads: nn.ModuleList, *, first_only: bool, pooled: bool
    ) -> Left:
        threads = self.execution.threads
        parts = cut_evenly(batch.lengths, max_tokens=_PART_TOKENS, workers=threads)

        def work(part: IntArray) -> Left:
            walk = PreparedWalk(prepared, batch.take(part), first_only=first_only, pooled=pooled)
            return leave_early(walk, decide=self._decide(heads))

        done = on_workers(work, parts, workers=threads)
        back = put_back(parts)
        return Left(
            np.concatenate([one.rows for one in done])[back], np.concatenate([one.layers for one in done])[back]
        )

    def _decide(self, heads: nn.ModuleList) -> Decide:
        """Return the decisions on one batch, which remember what the layers before have said."""
        watch = self.rule.watch(self.task)

        def decide(layer: int, output: EncoderOutput) -> tuple[FloatArray, BoolArray]:
            # The heads are small: in full precision they cost nothing and keep close calls right.
            with torch.autocast(self.execution.torch_device.type, enabled=False):
                states = head_states(output, reads="sequences", pooling=self.pooling)
                logits: FloatArray = heads[layer](states).float().cpu().numpy()
            return logits, watch(logits)

        return decide
