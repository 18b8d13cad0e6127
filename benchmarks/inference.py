"""Texts/s and latency of ALBERT-base on a processor: albertkit against transformers, OpenVINO and ONNX Runtime.

    python benchmarks/inference.py [--data-dir DIR] [--quick] [--json-out FILE]

Same weights, same token ids, pooled output of every text; see README.md in this folder for how to read it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from contenders import Contender, Vectors, of_onnxruntime, of_openvino, of_transformers
from harness import Report, in_turns, options_of, parsed, row, run_program
from machine import machine, matrix_peaks

from albertkit.batching.batch import Batch
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.config import AlbertConfig
from albertkit.data.sample_text import sample_texts
from albertkit.datasets import load_dataset
from albertkit.encoder.fbgemm import Fp16Linear, Int8Linear, Int8Weight
from albertkit.encoder.packed_linear import pack
from albertkit.encoder.qnnpack import QnnpackLinear, QnnpackWeight
from albertkit.errors import AlbertkitError
from albertkit.hardware.device import choose_execution
from albertkit.hardware.processor import capabilities
from albertkit.inference.pytorch import PyTorchRuntime
from albertkit.inference.running import run_per_sequence
from albertkit.io.progress import Console
from albertkit.models.loaded import Model
from albertkit.models.pretrained import fresh_model, save_model

LONGEST = 512
AGREEMENT = {"fp32": 1e-4, "bf16": 0.1, "fp16": 5e-3, "int8": 0.2}
"""Largest difference of a pooled output (it lies between -1 and 1) from transformers in fp32."""
CALLS = 40
"""A single text is encoded so often in each turn."""


def profiles(data_dir: Path | None, model: Model, *, quick: bool) -> dict[str, list[TokenSequence]]:
    """Return tokenised texts by profile: `imdb` (long), `sst2` (short), `one` (a single short text)."""
    long, short = (6, 32) if quick else (32, 128)
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


def ours(model: Model, threads: int) -> Iterator[Contender]:
    """Return albertkit in each precision that the processor is good at."""
    good = {"bf16": capabilities().bf16, "fp16": capabilities().fbgemm, "int8": capabilities().any_int8}
    for precision in ("fp32", *(name for name, is_good in good.items() if is_good)):
        runtime = PyTorchRuntime(
            model.network,
            execution=choose_execution(device="cpu", precision=precision, threads=threads),
            sample=lambda: Batch.pack(model.tokenizer.sequences(sample_texts(), max_length=LONGEST)),
            fixed_weights=True,  # as served; the peers' weights cannot change
        )
        yield Contender(
            "albertkit",
            precision,
            "packed",
            lambda sequences, runtime=runtime: run_per_sequence(runtime, sequences, output="pooled_output"),  # type: ignore[misc]
        )


def measure(options: Any) -> Report:
    """Run all contenders in turn on each profile and return the report."""
    execution = choose_execution(device="cpu", precision="fp32", threads=options.threads)
    report: Report = {"name": "inference", "machine": machine(execution)}
    report["peaks"] = matrix_peaks(size=1024 if options.quick else 2048, repeats=5)
    rounds = options.rounds or 2
    cases: list[dict[str, Any]] = []
    details: dict[str, dict[str, list[float]]] = {}
    model = fresh_model(options.model)
    model.network.eval()
    packed = packed_peaks(model.network.config, repeats=5 if options.quick else 20)
    report["peaks"].update({f"{precision}_packed_gflops": peak for precision, peak in packed.items()})
    with tempfile.TemporaryDirectory(prefix="albertkit-benchmark-") as parent:
        folder = Path(parent) / "model"
        save_model(model, folder)
        contenders = [
            *ours(model, options.threads),
            *of_transformers(folder, compiled=not options.quick),
            *of_openvino(folder, options.threads),
            *of_onnxruntime(folder, options.threads),
        ]
        for name, sequences in profiles(options.data_dir, model, quick=options.quick).items():
            if options.only not in name:
                continue
            few = {each.key: partial(on_threads, each, sequences[:4], options.threads) for each in contenders}
            in_turns(few, rounds=0, warm_up=2)
            if name == "one":
                details[name], vectors = latencies(contenders, sequences, threads=options.threads, rounds=rounds)
            else:
                runs = {each.key: partial(on_threads, each, sequences, options.threads) for each in contenders}
                details[name], given = in_turns(runs, rounds=rounds, warm_up=0)
                vectors = {key: found[-1] for key, found in given.items()}
            work = products(model.network.config, [len(sequence) for sequence in sequences])
            found = list(rows(name, sequences, contenders, details[name], vectors, work=work, packed=packed))
            cases += found
            for one in found:
                Console().report(
                    f"{name}, {one['precision']}: {one['ours']} texts/s, {one['peer_name']} {one['peer_precision']} "
                    f"{one['peer_mode']} {one['peer']}, ratio {one['ratio']:.2f}"
                )
    return {**report, "cases": cases, "details": details}


def on_threads(contender: Contender, sequences: Sequence[TokenSequence], threads: int) -> Vectors:
    """Run a contender."""
    torch.set_num_threads(threads)
    return contender.run(sequences)


def latencies(
    contenders: Sequence[Contender], sequences: Sequence[TokenSequence], *, threads: int, rounds: int
) -> tuple[dict[str, list[float]], dict[str, Vectors]]:
    """Return seconds of single calls, and what they gave: `CALLS` in a row in each turn, the first quarter not counted.

    One after the other, as a service is called: the call after another program's finds caches, threads and oneDNN's
    compiled products as the other has left them.
    """
    seconds: dict[str, list[float]] = {each.key: [] for each in contenders}
    vectors: dict[str, Vectors] = {}
    for _ in range(rounds):
        for each in contenders:
            for number in range(CALLS):
                started = time.perf_counter()
                vectors[each.key] = on_threads(each, sequences, threads)
                if number >= CALLS // 4:
                    seconds[each.key].append(time.perf_counter() - started)
    return seconds, vectors


def packed_peaks(config: AlbertConfig, *, repeats: int) -> dict[str, float]:
    """Return GFLOP/s of only the four products of a layer, weights packed, on 1,024 rows: what no encoder can pass."""
    rows, hidden, inner = 1024, config.hidden_size, config.intermediate_size
    shapes = [(3 * hidden, hidden), (hidden, hidden), (inner, hidden), (hidden, inner)]
    seconds: dict[str, float] = {}
    for out, into in shapes:
        weight, bias, states = torch.randn(out, into), torch.randn(out), torch.randn(rows, into)
        runs: dict[str, Callable[[], Any]] = {"fp32": partial(pack(weight, bias, dtype=torch.float32), states)}
        if capabilities().prepacked_bf16:
            runs["bf16"] = partial(pack(weight, bias, dtype=torch.bfloat16), states.bfloat16())
        if capabilities().int8:
            whole = torch.ops.onednn.qlinear_prepack(weight.clamp(-1, 1).mul(127).to(torch.int8), [rows, into])
            scales, zeros = torch.ones(out), torch.zeros(out, dtype=torch.int64)
            given = (states.clamp(-1, 1).mul(127).to(torch.int8), 1.0, 0, whole, scales, zeros, bias)
            runs["int8"] = partial(
                torch.ops.onednn.qlinear_pointwise, *given, 1.0, 0, torch.bfloat16, "none", [], ""
            )  # fmt: skip
        elif capabilities().fbgemm:
            runs["int8"] = partial(Int8Linear(Int8Weight(weight, bias), low=-4.0, high=4.0), states)
        elif capabilities().qnnpack:
            runs["int8"] = partial(QnnpackLinear(QnnpackWeight(weight, bias), low=-4.0, high=4.0), states)
        if capabilities().fbgemm:
            runs["fp16"] = partial(Fp16Linear(weight, bias), states)
        for precision, run in runs.items():
            times = []
            for _ in range(2 + repeats):
                started = time.perf_counter()
                run()
                times.append(time.perf_counter() - started)
            seconds[precision] = seconds.get(precision, 0.0) + min(times)
    flops = sum(2 * rows * out * into for out, into in shapes)
    return {precision: round(flops / each / 1e9, 1) for precision, each in seconds.items()}


def products(config: AlbertConfig, lengths: Sequence[int]) -> float:
    """Return the GFLOP of an encoder's products that a pooled output needs: the last layer only at first tokens."""
    hidden, inner = config.hidden_size, config.intermediate_size
    layer = 2 * (4 * hidden**2 + 2 * hidden * inner)
    depth = config.num_hidden_layers * config.inner_group_num
    total = 0.0
    for length in lengths:
        whole = layer * length + 4 * hidden * length**2
        last = layer - 4 * hidden**2 + 4 * hidden**2 * length + 4 * hidden * length
        total += (depth - 1) * whole + last + 2 * config.embedding_size * hidden * length + 2 * hidden**2
    return total / 1e9


def rows(
    name: str,
    sequences: Sequence[TokenSequence],
    contenders: Sequence[Contender],
    seconds: Mapping[str, Sequence[float]],
    vectors: Mapping[str, Vectors],
    *,
    work: float,
    packed: Mapping[str, float],
) -> Iterator[dict[str, Any]]:
    """Return a row for each of ours next to each peer.

    Raises:
        AlbertkitError: the outputs are not those of one network.
    """
    reference = vectors["transformers fp32 as-is"]
    medians = {key: statistics.median(each) for key, each in seconds.items()}
    for own in (contender for contender in contenders if contender.name == "albertkit"):
        difference = float(np.abs(vectors[own.key] - reference).max())
        if not difference < AGREEMENT[own.precision]:
            raise AlbertkitError(f"{own.key} differs from transformers by {difference:g}: not the same network")
        for peer in (contender for contender in contenders if contender.name != "albertkit"):
            yield row(
                name,
                ours=len(sequences) / medians[own.key],
                peer=len(sequences) / medians[peer.key],
                unit="texts/s",
                peer_name=peer.name,
                peer_mode=peer.mode,
                precision=own.precision,
                peer_precision=peer.precision,
                max_difference=difference,
                texts=len(sequences),
                tokens=sum(len(sequence) for sequence in sequences),
                share_of_packed_peak=round(work / medians[own.key] / packed[own.precision], 3),
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print JSON, return the exit code."""
    parser = options_of(__doc__, threads=2, quick="few texts, two rounds: under 200 seconds")
    parser.add_argument("--model", default="albert-base-v2", metavar="NAME", help="whose shape (%(default)s)")
    parser.add_argument("--only", default="", metavar="CASE", help="only cases whose name holds this: one, imdb, sst2")
    return run_program(measure, parsed(parser, arguments))


if __name__ == "__main__":
    sys.exit(main())
