"""Seconds of 100 epochs on a frozen encoder: albertkit, which keeps what it gave, next to running it every epoch.

    python benchmarks/probing.py [--data-dir DIR] [--quick] [--json-out FILE]

The experiment of TF Hub's tutorial on IMDB; see README.md in this folder for what is compared and what is extrapolated.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from finetuning import texts_of
from harness import Report, options_of, parsed, row, run_program, spread
from machine import machine, matrix_peaks
from torch import nn

from albertkit.batching.batch import Batch
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.batching.cutting import training_steps
from albertkit.errors import AlbertkitError
from albertkit.hardware.device import Execution, choose_execution
from albertkit.hardware.processor import capabilities
from albertkit.inference.pytorch import PyTorchRuntime
from albertkit.inference.running import run_per_sequence
from albertkit.io.progress import Console
from albertkit.models.loaded import HeadSpec, Model
from albertkit.models.pretrained import fresh_model, save_model, with_task_head
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.objective import objective_of
from albertkit.training.loop import FeatureInputs, HeadTraining, StepPlan, train_steps
from albertkit.training.optimizers import build_optimizer

EPOCHS, BATCH, LENGTH, HIDDEN = 100, 128, 128, 30
"""The tutorial's: epochs, texts of a batch, tokens of a text (its preprocessor's default), width of the head."""
AGREEMENT = {"fp32": 1e-4, "bf16": 0.1}
"""Largest difference of a pooled output (it lies between -1 and 1) from transformers in fp32."""
RATE = 1e-3


def albertkit_run(
    model: Model, sequences: Sequence[TokenSequence], labels: Any, execution: Execution
) -> tuple[float, float, Any]:
    """Return the seconds of the features, those of all epochs of the head, and the features."""
    runtime = PyTorchRuntime(model.network, execution=execution)
    run_per_sequence(runtime, sequences[:2], output="pooler")  # warms up
    started = time.perf_counter()
    features = run_per_sequence(runtime, sequences, output="pooler")
    encoded_in = time.perf_counter() - started
    head = HeadSpec((HIDDEN,), "batch", "pooler")
    trained = with_task_head(model, task="classification", labels=("neg", "pos"), head=head)
    assert trained.task is not None
    network = trained.network.heads["classifier"].train()
    encoded = Encoded.one_each(list(sequences))
    ones = np.ones(len(sequences), np.int64)
    started = time.perf_counter()
    inputs = FeatureInputs(torch.from_numpy(features), encoded)
    steps = train_steps(
        HeadTraining(inputs, network, objective_of(trained.task), labels),
        build_optimizer("adam", [network], weight_decay=0.0),
        StepPlan(
            lambda epoch: training_steps(ones, batch_size=BATCH, batch_tokens=BATCH, seed=1, epoch=epoch),
            lambda _: RATE,
            total_steps=EPOCHS * -(-len(sequences) // BATCH),
            clip_norm=0.0,
            seed=1,
        ),
    )
    for _ in steps:
        pass
    return encoded_in, time.perf_counter() - started, features


def transformers_epoch(
    folder: Path, sequences: Sequence[TokenSequence], labels: Any, execution: Execution
) -> tuple[Callable[[], float], list[Any]]:
    """Return an epoch as the tutorial's program runs it, every text through the frozen encoder, and what that gave."""
    from transformers import AlbertModel, logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    encoder: nn.Module = AlbertModel.from_pretrained(folder, attn_implementation="sdpa").eval()
    config: Any = encoder.config
    hidden = nn.Linear(config.hidden_size, HIDDEN)
    head = nn.Sequential(hidden, nn.ReLU(), nn.BatchNorm1d(HIDDEN), nn.Linear(HIDDEN, 1))
    optimizer = torch.optim.Adam(head.parameters(), lr=RATE, fused=True)
    targets = torch.from_numpy(labels).float()
    batches = []
    for start in range(0, len(sequences), BATCH):
        arrays = Batch.pack(sequences[start : start + BATCH]).pad()
        batches.append({name: torch.from_numpy(array) for name, array in arrays.items()})
    given: list[Any] = []

    def epoch() -> float:
        given.clear()
        started = time.perf_counter()
        for number, batch in enumerate(batches):
            with torch.inference_mode(), execution.autocast():
                pooled = encoder(**batch).pooler_output.float()
            given.append(pooled.numpy())
            if len(pooled) == 1:  # batch normalization cannot train on one text
                continue
            logits = head(pooled.clone())[:, 0]
            wanted = targets[number * BATCH : (number + 1) * BATCH]
            nn.functional.binary_cross_entropy_with_logits(logits, wanted).backward()
            optimizer.step()
            optimizer.zero_grad()
        return time.perf_counter() - started

    return epoch, given


def measure(options: Any) -> Report:
    """Measure in turn and return the report."""
    rounds = options.rounds or (1 if options.quick else 3)
    precisions = ("fp32", "bf16") if capabilities().bf16 else ("fp32",)
    executions = [choose_execution(device="cpu", precision=name, threads=options.threads) for name in precisions]
    report: Report = {"name": "probe", "machine": machine(executions[0])}
    report["peaks"] = matrix_peaks(size=512 if options.quick else 2048, repeats=3)
    model = fresh_model(options.model, seed=1)
    sequences = model.tokenizer.sequences(texts_of(options.data_dir, options.texts), max_length=LENGTH)
    labels = np.random.RandomState(1).randint(0, 2, size=len(sequences))
    with tempfile.TemporaryDirectory(prefix="albertkit-benchmark-") as parent:
        folder = Path(parent) / "model"
        save_model(model, folder)
        peers = {one.precision: transformers_epoch(folder, sequences, labels, one) for one in executions}
        own: dict[str, list[tuple[float, float]]] = {name: [] for name in precisions}
        epochs: dict[str, list[float]] = {name: [] for name in precisions}
        features: dict[str, Any] = {}
        for _ in range(rounds):
            for one in executions:
                torch.set_num_threads(options.threads)
                encoded_in, trained_in, features[one.precision] = albertkit_run(model, sequences, labels, one)
                own[one.precision].append((encoded_in, trained_in))
                epochs[one.precision].append(peers[one.precision][0]())
    reference = np.concatenate(peers["fp32"][1])
    best = min(precisions, key=lambda name: spread(epochs[name])["median"])
    cases = []
    for name in precisions:
        difference = float(np.abs(features[name] - reference).max())
        if not difference < AGREEMENT[name]:
            raise AlbertkitError(f"the features in {name} differ from transformers' by {difference:g}: not one network")
        peer = "fp32" if name == "fp32" else best
        cases.append(
            row(
                f"{len(sequences)} texts of at most {LENGTH} tokens, {EPOCHS} epochs",
                ours=spread([sum(pair) for pair in own[name]])["median"],
                peer=EPOCHS * spread(epochs[peer])["median"],
                unit="s",
                peer_name="transformers, encoder run every epoch",
                peer_mode="as-is",
                precision=name,
                peer_precision=peer,
                max_difference=difference,
                peer_extrapolated=f"{EPOCHS} times the median of {rounds} measured epochs",
                features_seconds=spread([pair[0] for pair in own[name]])["median"],
                head_seconds=spread([pair[1] for pair in own[name]])["median"],
            )
        )
        Console().report(f"{name}: {cases[-1]['ours']:.1f} s, {cases[-1]['peer']:.1f} s extrapolated for transformers")
    details = {"albertkit": own, "transformers_epochs": epochs}
    return {**report, "cases": cases, "details": details}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print JSON, return the exit code."""
    parser = options_of(__doc__, threads=2, quick="32 texts and one round: a first look")
    parser.add_argument("--model", default="albert-base-v2", metavar="NAME", help="whose shape (%(default)s)")
    parser.add_argument("--texts", type=int, metavar="N", help="training texts (512, --quick 32)")
    options = parsed(parser, arguments, positive=("texts",))
    options.texts = options.texts or (32 if options.quick else 512)
    os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = "1024"  # oneDNN's default: all contenders share its cache
    return run_program(measure, options)


if __name__ == "__main__":
    sys.exit(main())
