"""Texts/s and latency of ALBERT-base on a processor: albertkit beside transformers and OpenVINO.

    python benchmarks/inference.py [--data-dir DIR] [--quick] [--json-out FILE]

Same weights, same token ids, pooled output of every text; see README.md in this folder for how to read it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from machine import machine, matrix_peaks

from albertkit.batch import Sequence as TokenSequence
from albertkit.datasets import load_dataset
from albertkit.device import choose_execution, cpu_is_good_at_bf16
from albertkit.errors import AlbertkitError
from albertkit.files import write_json
from albertkit.predictor import run_per_sequence
from albertkit.pretrained import Model, fresh_model, save_model
from albertkit.runtimes.pytorch import PyTorchRuntime

BATCH = 32
"""Texts of a peer's batch."""
LONGEST = 512
AGREEMENT = {"fp32": 1e-4, "bf16": 0.1}
"""Largest difference of a pooled output (it lies between -1 and 1) from transformers in fp32."""

Vectors = npt.NDArray[np.float32]
Run = Callable[[Sequence[TokenSequence]], Vectors]


@dataclass(frozen=True)
class Contender:
    """One way to encode texts."""

    name: str
    """`albertkit`, or the peer."""
    precision: str
    mode: str
    """`packed`; `as-is`: batches of 32 as the texts come; `sorted`: by length."""
    run: Run

    @property
    def key(self) -> str:
        """Name in `details`."""
        return f"{self.name} {self.precision} {self.mode}"


def profiles(data_dir: Path | None, model: Model, *, quick: bool) -> dict[str, list[TokenSequence]]:
    """Return tokenised texts by profile: `imdb` (long), `sst2` (short), `one` (a single short text)."""
    long, short = (16, 64) if quick else (64, 256)
    if data_dir is None:
        snippets = [row.text for row in load_dataset("polarity", split="train")]
        texts = {"snippets, ten by ten": [" ".join(snippets[i * 10 : i * 10 + 10]) for i in range(long)]}
        texts["snippets"] = snippets[-short:]
    else:
        reviews = load_dataset("imdb", split="test", data_dir=str(data_dir / "aclImdb"))
        sentences = load_dataset("glue/sst2", split="dev", data_dir=str(data_dir / "glue"))
        texts = {"imdb": [row.text for row in reviews[:long]], "sst2": [row.text for row in sentences[:short]]}
    texts["one"] = ["a gorgeous , witty , seductive movie"]
    return {name: model.tokenizer.sequences(rows, max_length=LONGEST) for name, rows in texts.items()}


def padded(sequences: Sequence[TokenSequence], mode: str) -> Iterator[tuple[npt.NDArray[np.int64], dict[str, Any]]]:
    """Return batches of 32, in the texts' order or by length, with the numbers of their texts."""
    order = np.arange(len(sequences))
    if mode == "sorted":
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


def ours(model: Model, threads: int) -> Iterator[Contender]:
    """Return albertkit in each precision that the processor is good at."""
    for precision in ("fp32", "bf16") if cpu_is_good_at_bf16() else ("fp32",):
        runtime = PyTorchRuntime(
            model.network, execution=choose_execution(device="cpu", precision=precision, threads=threads)
        )
        yield Contender(
            "albertkit",
            precision,
            "packed",
            lambda sequences, runtime=runtime: run_per_sequence(runtime, sequences, output="pooled_output"),  # type: ignore[misc]
        )


def of_transformers(folder: Path) -> Iterator[Contender]:
    """Return transformers as its users run it, and at its best: sorted, fused attention, bf16 autocast."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for attention, precision, mode in (
        ("eager", "fp32", "as-is"),
        ("sdpa", "fp32", "as-is"),
        ("sdpa", "fp32", "sorted"),
        ("sdpa", "bf16", "sorted"),
    ):
        if precision == "bf16" and not cpu_is_good_at_bf16():
            continue
        peer = transformers.AlbertModel.from_pretrained(folder, attn_implementation=attention).eval()

        def call(batch: dict[str, Any], peer: Any = peer, precision: str = precision) -> Vectors:
            given = {name: torch.from_numpy(array) for name, array in batch.items()}
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                vectors: Vectors = peer(**given).pooler_output.float().numpy()
            return vectors

        yield Contender(f"transformers {attention}", precision, mode, by_batches(call, mode))


def of_openvino(folder: Path, threads: int) -> Iterator[Contender]:
    """Return OpenVINO on the network that it converts from transformers, tuned for throughput of sorted batches."""
    if importlib.util.find_spec("openvino") is None:
        return
    import openvino
    import transformers

    peer = transformers.AlbertModel.from_pretrained(folder, attn_implementation="sdpa").eval()
    example = {name: torch.ones(2, 8, dtype=torch.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
    network = openvino.convert_model(peer, example_input=example)
    for precision, hint in (("fp32", "f32"), ("bf16", "bf16")):
        if precision == "bf16" and not cpu_is_good_at_bf16():
            continue
        settings = {
            "INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads,
        }  # fmt: skip
        compiled = openvino.Core().compile_model(network, "CPU", settings)

        def call(batch: dict[str, Any], compiled: Any = compiled) -> Vectors:
            return np.asarray(compiled(batch)[1], np.float32)

        for mode in ("as-is", "sorted"):
            yield Contender("openvino", precision, mode, by_batches(call, mode))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run all contenders in turn on each profile and return the report."""
    execution = choose_execution(device="cpu", precision="fp32", threads=options.threads)
    report: dict[str, Any] = {"name": "inference", "machine": machine(execution)}
    report["peaks"] = matrix_peaks(size=1024 if options.quick else 2048, repeats=5)
    cases: list[dict[str, Any]] = []
    details: dict[str, dict[str, list[float]]] = {}
    model = fresh_model(options.model)
    with tempfile.TemporaryDirectory(prefix="albertkit-benchmark-") as parent:
        folder = Path(parent) / "model"
        save_model(model, folder)
        contenders = [
            *ours(model, options.threads), *of_transformers(folder), *of_openvino(folder, options.threads),
        ]  # fmt: skip
        for name, sequences in profiles(options.data_dir, model, quick=options.quick).items():
            vectors: dict[str, Vectors] = {}
            seconds: dict[str, list[float]] = {contender.key: [] for contender in contenders}
            for number in range(1 + (40 if name == "one" else options.rounds)):
                for contender in contenders:
                    torch.set_num_threads(options.threads)
                    started = time.perf_counter()
                    vectors[contender.key] = contender.run(sequences)
                    if number:  # the first round warms up
                        seconds[contender.key].append(time.perf_counter() - started)
            details[name] = seconds
            cases += rows(name, sequences, contenders, seconds, vectors)
    return {**report, "cases": cases, "details": details}


def rows(
    name: str,
    sequences: Sequence[TokenSequence],
    contenders: Sequence[Contender],
    seconds: Mapping[str, Sequence[float]],
    vectors: Mapping[str, Vectors],
) -> list[dict[str, Any]]:
    """Return a row for each of ours beside each peer.

    Raises:
        AlbertkitError: the outputs are not those of one network.
    """
    reference = vectors["transformers eager fp32 as-is"]
    medians = {key: statistics.median(each) for key, each in seconds.items()}
    found = []
    for own in (contender for contender in contenders if contender.name == "albertkit"):
        difference = float(np.abs(vectors[own.key] - reference).max())
        if not difference < AGREEMENT[own.precision]:
            raise AlbertkitError(f"{own.key} differs from transformers by {difference:g}: not the same network")
        for peer in (contender for contender in contenders if contender.name != "albertkit"):
            found.append(
                {
                    "case": name,
                    "texts": len(sequences),
                    "tokens": int(sum(len(sequence) for sequence in sequences)),
                    "precision": own.precision,
                    "unit": "texts/s",
                    "ours": round(len(sequences) / medians[own.key], 2),
                    "peer": round(len(sequences) / medians[peer.key], 2),
                    "peer_name": peer.name,
                    "peer_mode": peer.mode,
                    "peer_precision": peer.precision,
                    "ratio": round(medians[peer.key] / medians[own.key], 2),
                    "max_difference": difference,
                }
            )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print JSON, return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="albert-base-v2", metavar="NAME", help="whose shape (%(default)s)")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="holds aclImdb/ and glue/SST-2")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="timed rounds (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="processor threads (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="a quarter of the texts")
    parser.add_argument("--json-out", type=Path, metavar="FILE", help="write the JSON here, too")
    options = parser.parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report = measure(options)
        if options.json_out is not None:
            write_json(options.json_out, report)
    except AlbertkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
