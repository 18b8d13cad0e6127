"""Tokens/s of fine-tuning steps: albertkit against a plain transformers loop, same batches, same weights, one run.

    python benchmarks/finetuning.py [--data-dir DIR] [--quick] [--json-out FILE]
    python benchmarks/finetuning.py --parallel 2 --model albert-nano --batch-size 32

With --parallel: workers of one thread each against threads that share every operation, without transformers.

See README.md in this folder for what is compared and how to read it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from harness import Report, in_turns, options_of, parsed, peak_memory, row, run_program, spread
from machine import machine, matrix_peaks
from torch import Tensor, nn

from albertkit.batching.batch import Batch
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.batching.cutting import cut_evenly, training_steps
from albertkit.checkpoints.shapes import flops_per_token
from albertkit.config import AlbertConfig, published_config
from albertkit.datasets import load_dataset
from albertkit.errors import AlbertkitError
from albertkit.hardware.device import Execution, choose_execution
from albertkit.hardware.processor import capabilities
from albertkit.io.progress import Console
from albertkit.models.pretrained import fresh_model, load_model, save_model, with_task_head
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.objective import objective_of
from albertkit.training.loop import HeadTraining, StepPlan, TextInputs, train_steps
from albertkit.training.optimizers import BETAS, EPSILON, build_optimizer, parameter_groups
from albertkit.training.processes import Processes
from albertkit.training.shares import Shares, chosen_workers

RATE, DECAY, CLIP = 2e-5, 0.01, 1.0
AGREEMENT = 1e-3
"""Nats by which the loss curves in fp32 may differ, on the same batches from the same weights."""
LABELS = ("neg", "pos")


@dataclass(frozen=True)
class Case:
    """Steps to make: each a batch of texts with their labels."""

    name: str
    mode: str
    """`as-is`: the texts of a batch as they come; all of one length where the name says so."""
    batches: list[list[TokenSequence]]
    labels: list[npt.NDArray[np.int64]]

    @property
    def tokens(self) -> list[int]:
        """Real tokens of each batch."""
        return [sum(map(len, batch)) for batch in self.batches]


def texts_of(data_dir: Path | None, count: int) -> list[str]:
    """Return reviews of IMDB as they come, or the snippets that albertkit ships, ten by ten."""
    if data_dir is not None:
        reviews = load_dataset("imdb", split="train", data_dir=str(data_dir / "aclImdb"))
        chosen = np.random.RandomState(1).permutation(len(reviews))[:count]
        return [reviews[int(number)].text for number in chosen]
    snippets = [example.text for example in load_dataset("polarity", split="train")]
    # Ten snippets on average, three to seventeen: about the spread of real reviews.
    ends = np.cumsum(np.random.RandomState(1).randint(3, 18, size=count)) % len(snippets)
    return [" ".join(snippets[int(end) - 17 : int(end)][-(3 + int(end) % 15) :]) or snippets[0] for end in ends]


def cases_of(options: Any, *, steps: int) -> list[Case]:
    """Return the two cases: equal lengths, and lengths as reviews have them."""
    tokenizer = fresh_model("albert-nano").tokenizer
    count = steps * options.batch_size
    sequences = tokenizer.sequences(texts_of(options.data_dir, 6 * count), max_length=options.max_length)
    length = options.length
    whole = [
        TokenSequence(sequence.input_ids[:length], sequence.token_type_ids[:length])
        for sequence in sequences
        if len(sequence) >= length
    ]
    if len(whole) < count:
        raise AlbertkitError(f"too few texts of {length} tokens for {steps} batches of {options.batch_size}")
    name = "imdb lengths" if options.data_dir is not None else "lengths of joined snippets"
    random = np.random.RandomState(1)
    found = []
    for case, mode, texts in (
        (f"{options.batch_size} x {length} tokens", "best", whole),
        (name, "as-is", sequences),
    ):
        size = options.batch_size
        batches = [texts[start : start + size] for start in range(0, count, size)]
        found.append(Case(case, mode, batches, [random.randint(0, 2, size=size) for _ in batches]))
    return found


def snippets_case(*, steps: int, batch_size: int) -> Case:
    """Return steps of `finetune --data polarity`: single snippets, of near-equal length in each step."""
    texts = [example.text for example in load_dataset("polarity", split="train")]
    sequences = fresh_model("albert-nano").tokenizer.sequences(texts, max_length=128)
    plan = training_steps(list(map(len, sequences)), batch_size=batch_size, batch_tokens=4096, seed=1, epoch=0)
    batches = [[sequences[number] for part in step for number in part] for step in plan]
    batches = [batch for batch in batches if len(batch) == batch_size][:steps]
    random = np.random.RandomState(1)
    labels = [random.randint(0, 2, size=batch_size) for _ in batches]
    return Case(f"{batch_size} snippets", "as-is", batches, labels)


def ours(
    folder: Path, case: Case, execution: Execution, *, checkpointing: bool, workers: int = 1
) -> Callable[[], float]:
    """Return albertkit's own step, as `albertkit finetune` makes it: packing, forward, backward, clipping, AdamW."""
    model = with_task_head(load_model(folder), task="classification", labels=LABELS)
    # The folder holds the head too, so that both sides begin with the same one.
    start = torch.load(folder / "head.pt", weights_only=True)
    head = model.network.heads["classifier"]
    head.load_state_dict(start)
    model.network.train()
    model.network.encoder.gradient_checkpointing = checkpointing
    assert model.task is not None
    objective = objective_of(model.task)
    encoded = Encoded.one_each([sequence for batch in case.batches for sequence in batch])
    size = len(case.batches[0])
    inputs = TextInputs(model.network, encoded, execution=execution)
    lengths = np.array([len(sequence) for sequence in encoded.sequences])

    def passes(start: int) -> list[npt.NDArray[np.int64]]:
        parts = cut_evenly(lengths[start : start + size], max_tokens=4096, workers=workers)
        return [start + part for part in parts] if workers > 1 else [np.arange(start, start + size)]

    steps = train_steps(
        HeadTraining(inputs, head, objective, np.concatenate(case.labels), shares=Shares(workers=workers)),
        build_optimizer("adamw", [model.network], weight_decay=DECAY),
        StepPlan(
            lambda _: [passes(start) for start in range(0, len(encoded), size)],
            lambda _: RATE,
            total_steps=len(case.batches),
            clip_norm=CLIP,
            seed=1,
        ),
    )
    return lambda: next(steps).loss


def of_transformers(folder: Path, case: Case, execution: Execution, *, attention: str) -> Callable[[], float]:
    """Return the loop that a user of transformers writes; its batches are padded before the clock starts."""
    from transformers import AlbertForSequenceClassification, logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model: nn.Module = AlbertForSequenceClassification.from_pretrained(folder, attn_implementation=attention).train()
    classifier: Any = model.classifier
    classifier.load_state_dict(torch.load(folder / "head.pt", weights_only=True))
    groups = parameter_groups([model], weight_decay=DECAY)
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=BETAS, eps=EPSILON, fused=True)
    given = iter([_padded(batch, labels) for batch, labels in zip(case.batches, case.labels, strict=True)])

    def step() -> float:
        with execution.autocast():
            loss = model(**next(given)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss)

    return step


def _padded(batch: Sequence[TokenSequence], labels: npt.NDArray[np.int64]) -> dict[str, Tensor]:
    arrays = {**Batch.pack(batch).pad(), "labels": labels}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def save_start(folder: Path, config: AlbertConfig) -> None:
    """Write the weights that every contender begins with; no dropout, so that losses can be compared."""
    model = fresh_model(replace(config, classifier_dropout_prob=0.0).with_dropout(0.0), seed=1)
    torch.manual_seed(1)
    save_model(model, folder)
    head = nn.Linear(config.hidden_size, len(LABELS))
    torch.save(head.state_dict(), folder / "head.pt")


def step_flops(config: AlbertConfig, batch: Sequence[TokenSequence]) -> float:
    """Return the floating-point operations of one step without padding: forward once, backward twice that."""
    lengths = np.array([len(sequence) for sequence in batch], np.float64)
    layers = config.num_hidden_layers * config.inner_group_num
    attention = 4 * config.hidden_size * layers * float((lengths**2).sum())
    return 3 * (flops_per_token(config) * float(lengths.sum()) + attention)


def measure_case(
    folder: Path,
    case: Case,
    executions: Sequence[Execution],
    config: AlbertConfig,
    *,
    peaks: dict[str, float],
    checkpointing: bool,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Make the steps of all contenders in turn; return rows and details.

    Raises:
        AlbertkitError: the loss curves in fp32 are not the same.
    """
    attentions = ("sdpa", "eager") if case.mode == "best" else ("sdpa",)
    made: dict[tuple[str, str, str], Callable[[], float]] = {}
    for execution in executions:
        # As many workers as `albertkit finetune` chooses.
        shape, tokens = config.with_dropout(0.0), float(np.mean(case.tokens))
        workers = chosen_workers(None, execution=execution, config=shape, processes=Processes(), step_tokens=tokens)
        made["albertkit", execution.precision, "own"] = ours(
            folder, case, execution, checkpointing=checkpointing, workers=workers
        )
        for attention in attentions:
            peer = of_transformers(folder, case, execution, attention=attention)
            made["transformers", execution.precision, attention] = peer
    memory: dict[str, float | None] = {}
    losses: dict[str, list[float]] = {}
    names = {key: " ".join(key) for key in made}
    for key, step in made.items():  # the warm-up; memory is measured at it
        with peak_memory() as used:
            losses[names[key]] = [step()]
        memory[names[key]] = used.get("megabytes")
    rounds = len(case.batches) - 1
    seconds, given = in_turns({names[key]: step for key, step in made.items()}, rounds=rounds, warm_up=0)
    for name, found in given.items():
        losses[name] += found
    rates = {
        name: [tokens / each for tokens, each in zip(case.tokens[1:], found, strict=True)]
        for name, found in seconds.items()
    }
    flops = [step_flops(config, batch) for batch in case.batches[1:]]
    rows = []
    for execution in executions:
        own = f"albertkit {execution.precision} own"
        # fp32 is compared with fp32; the faster precision with the best that transformers can do at all.
        fair = [key for key in made if key[0] != "albertkit" and execution.precision in (key[1], "bf16")]
        best = max(fair, key=lambda key: spread(rates[names[key]])["median"])
        same = names["transformers", "fp32", "sdpa"]
        curves = zip(losses[own], losses[same], strict=True)
        difference = max(abs(one - other) for one, other in curves)
        if execution.precision == "fp32" and not difference <= AGREEMENT:
            raise AlbertkitError(
                f"the loss curves of albertkit and transformers differ by {difference:.2g} nats, more than rounding: "
                "the two loops do not train the same"
            )
        share = [count / each / 1e9 for count, each in zip(flops, seconds[own], strict=True)]
        rows.append(
            row(
                case.name,
                ours=spread(rates[own])["median"],
                peer=spread(rates[names[best]])["median"],
                unit="tokens/s",
                peer_name="transformers",
                peer_mode=case.mode,
                precision=execution.precision,
                peer_precision=best[1],
                max_difference=difference,
                peer_attention=best[2],
                padded_share=_padded_share(case),
                share_of_peak=round(spread(share)["median"] / peaks[f"{execution.precision}_gflops"], 3),
                step_megabytes=memory[own],
                peer_step_megabytes=memory[names[best]],
            )
        )
    shown = {
        name: {"tokens_per_second": spread(rates[name], digits=1), "step_megabytes": memory[name], "losses": found}
        for name, found in losses.items()
    }
    return rows, shown


def measure_workers(
    folder: Path, case: Case, executions: Sequence[Execution], *, workers: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Make the steps of one thread, of as many threads as workers, and of workers in turn; return rows and details."""
    made: dict[str, Callable[[], float]] = {}
    for execution in executions:
        for threads, count in ((1, 1), (workers, 1), (workers, workers)):
            name = f"{execution.precision}, {f'{count} workers' if count > 1 else f'{threads} threads'}"
            made[name] = _with_threads(threads, ours(folder, case, execution, checkpointing=False, workers=count))
    rounds = len(case.batches) - 1
    seconds, _ = in_turns(made, rounds=rounds)
    rates = {
        name: [tokens / each for tokens, each in zip(case.tokens[1:], found, strict=True)]
        for name, found in seconds.items()
    }
    rows = [
        row(
            case.name,
            ours=spread(rates[f"{execution.precision}, {workers} workers"])["median"],
            peer=spread(rates[f"{execution.precision}, {workers} threads"])["median"],
            unit="tokens/s",
            peer_name=f"{workers} threads",
            peer_mode=case.mode,
            precision=execution.precision,
            one_thread=spread(rates[f"{execution.precision}, 1 threads"])["median"],
        )
        for execution in executions
    ]
    return rows, {name: {"tokens_per_second": spread(found, digits=1)} for name, found in rates.items()}


def _with_threads(threads: int, step: Callable[[], float]) -> Callable[[], float]:
    def made() -> float:
        torch.set_num_threads(threads)
        return step()

    return made


def _padded_share(case: Case) -> float:
    slots = sum(len(batch) * max(map(len, batch)) for batch in case.batches)
    return round(1 - sum(case.tokens) / slots, 4)


def executions_of(options: Any) -> Iterator[Execution]:
    """Return the precisions that are measured: bf16 too, where the processor is good at it."""
    for precision in ("fp32", "bf16") if capabilities().bf16 else ("fp32",):
        yield choose_execution(device="cpu", precision=precision, threads=options.threads)


def measure(options: Any) -> Report:
    """Run both cases and return the report."""
    steps = 1 + (options.rounds or (1 if options.quick else 3))
    executions = list(executions_of(options))
    report: Report = {"name": "finetuning", "machine": machine(executions[0])}
    peaks = matrix_peaks(size=512 if options.quick else 4096, repeats=3 if options.quick else 5)
    config = published_config(options.model)
    cases: list[dict[str, Any]] = []
    details: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="albertkit-benchmark-") as parent:
        folder = Path(parent) / "start"
        save_start(folder, config)
        several = cases_of(options, steps=steps)
        if options.parallel > 1:
            several.insert(0, snippets_case(steps=steps, batch_size=options.batch_size))
        for case in several:
            if options.parallel > 1:
                rows, details[case.name] = measure_workers(folder, case, executions, workers=options.parallel)
            else:
                rows, details[case.name] = measure_case(
                    folder, case, executions, config, peaks=peaks, checkpointing=options.gradient_checkpointing
                )
            cases += rows
            for one in rows:
                peer = f"({one['peer_precision']}, {one['peer_attention']}) " if "peer_attention" in one else ""
                Console().report(
                    f"{one['case']}, {one['precision']}: {one['ours']:,.0f} tokens/s, {one['peer_name']} {peer}"
                    f"{one['peer']:,.0f}, ratio {one['ratio']:.2f}"
                )
    return {**report, "peaks": peaks, "cases": cases, "details": details}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print JSON, return the exit code."""
    parser = options_of(__doc__, threads=2, quick="one timed step a case: a first look")
    parser.add_argument("--model", default="albert-base-v2", metavar="NAME", help="whose shape (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=16, metavar="N", help="texts a step (%(default)s)")
    parser.add_argument("--length", type=int, default=128, metavar="N", help="tokens of equal texts (%(default)s)")
    parser.add_argument("--max-length", type=int, default=512, metavar="N", help="longest real text (%(default)s)")
    parser.add_argument("--parallel", type=int, default=1, metavar="N", help="compare N workers with N threads")
    parser.add_argument(
        "--gradient-checkpointing",
        "--recompute",
        action="store_true",
        help="ours runs each layer again on the way back",
    )
    options = parsed(parser, arguments, positive=("batch_size", "length", "max_length"))
    # All contenders share oneDNN's cache of compiled products; with albertkit's own small one they would evict each
    # other's. This is oneDNN's default.
    os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = "1024"
    return run_program(measure, options)


if __name__ == "__main__":
    sys.exit(main())
