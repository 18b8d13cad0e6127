"""Tokens/s of whole pretraining steps: albertkit against a transformers loop, same batches, same weights, one run.

    python benchmarks/pretraining.py [--quick] [--json-out FILE]

See README.md in this folder for what is compared and how to read it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from harness import options_of, parsed, run_program
from machine import machine, matrix_peaks
from torch import Tensor, nn

from albertkit.config import published_config
from albertkit.data.pretraining.masking import MaskingRule, word_start_table
from albertkit.data.pretraining.stream import InstanceStream, PendingBatch
from albertkit.datasets import load_dataset
from albertkit.encoder.encoder import Encoder
from albertkit.errors import AlbertkitError
from albertkit.hardware.device import Execution, choose_execution
from albertkit.io.progress import Console
from albertkit.models.loaded import Model
from albertkit.models.pretrained import load_model, save_model
from albertkit.tasks.network import Network, pretraining_heads
from albertkit.tasks.pretraining.objective import PretrainingObjective
from albertkit.text.tokenizer import Tokenizer
from albertkit.training.optimizers import build_optimizer
from albertkit.training.pretraining.steps import train_step
from albertkit.training.shares import Shares

LENGTHS = (64, 128, 512)
"""Longest sequences of the cases, in tokens."""
SENTENCES = 40
"""Snippets that make a document: some thousand tokens."""
RATE, DECAY, CLIP = 1e-4, 0.01, 1.0
AGREEMENT = 1e-4
"""Nats by which the losses in fp32 may differ on the same batch and weights."""
IGNORED = -100
"""Label that transformers does not predict."""


class Snippets(NamedTuple):
    """One document: snippets one after the other."""

    tokens: npt.NDArray[np.uint16]
    starts: npt.NDArray[np.int64]


class SnippetCorpus:
    """The film-review snippets that albertkit ships, as documents in memory."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        texts = [row.text for split in ("dev", "test") for row in load_dataset("polarity", split=split)]
        rows = [sequence.input_ids[1:-1] for sequence in tokenizer(texts)]  # without [CLS] and [SEP]
        groups = [rows[start : start + SENTENCES] for start in range(0, len(rows), SENTENCES)]
        self.documents = [
            Snippets(np.concatenate(group).astype(np.uint16), np.cumsum([0, *map(len, group)])) for group in groups
        ]

    @property
    def document_lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each document."""
        return np.array([len(document.tokens) for document in self.documents])

    def document(self, number: int) -> Snippets:
        """Return one."""
        return self.documents[number]


def instance_stream(
    corpus: SnippetCorpus, tokenizer: Tokenizer, *, max_length: int, batch_tokens: int
) -> InstanceStream:
    """Return batches as `albertkit pretrain` makes them."""
    specials = {tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id}
    return InstanceStream(
        corpus,
        np.arange(len(corpus.document_lengths)),
        MaskingRule(
            word_start_table(tokenizer.vocabulary.pieces),
            tokenizer.mask_id,
            np.array([piece for piece in range(tokenizer.vocab_size) if piece not in specials]),
        ),
        tokenizer.cls_id,
        tokenizer.sep_id,
        max_length=max_length,
        batch_tokens=batch_tokens,
    )


def padded(pending: PendingBatch) -> dict[str, Tensor]:
    """Return a batch as transformers takes it: padded to its longest sequence, -100 where nothing is predicted."""
    made = pending.build()
    arrays = made.batch.pad()
    packed = np.full(made.batch.tokens, IGNORED)
    packed[made.masked_positions] = made.masked_ids
    labels = np.full(arrays["input_ids"].shape, IGNORED)
    labels[arrays["attention_mask"].astype(bool)] = packed
    arrays |= {"labels": labels, "sentence_order_label": made.swapped}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


class Outcome(NamedTuple):
    """What a step says of itself."""

    loss: float
    """Masked pieces and sentence order together, in nats."""
    gradient_norm: float
    """Before clipping."""


@dataclass
class Contender:
    """One way to train, with weights and optimizer of its own."""

    name: str
    precision: str
    attention: str
    step: Callable[[PendingBatch, dict[str, Tensor]], Outcome]
    rates: list[float] = field(default_factory=list)
    """Tokens/s of each step that was timed."""

    @property
    def is_ours(self) -> bool:
        """Whether this is albertkit."""
        return self.name == "albertkit"

    @property
    def rate(self) -> float:
        """Median, in tokens/s."""
        return statistics.median(self.rates)

    def figures(self) -> dict[str, Any]:
        """Return who this is and its tokens/s."""
        spread = {"median": self.rate, "lowest": min(self.rates), "highest": max(self.rates)}
        who = {"name": self.name, "precision": self.precision, "attention": self.attention, "steps": len(self.rates)}
        return who | {key: round(value, 1) for key, value in spread.items()}


def albertkit_contender(folder: Path, execution: Execution) -> Contender:
    """Return albertkit's own step: masking, packing, both heads, clipping, AdamW."""
    network = load_model(folder).network
    objective = PretrainingObjective(network).train()
    optimizer = build_optimizer("adamw", [network], weight_decay=DECAY)
    settings: dict[str, Any] = {"execution": execution, "shares": Shares(), "seed": 1}

    def step(pending: PendingBatch, _: dict[str, Tensor]) -> Outcome:
        made = train_step(objective, optimizer, [pending], learning_rate=RATE, clip_norm=CLIP, **settings)
        return Outcome(made.scores.mlm_loss + made.scores.sop_loss, made.gradient_norm)

    return Contender("albertkit", execution.precision, "own", step)


def transformers_contender(folder: Path, execution: Execution, *, attention: str) -> Contender:
    """Return the loop that a user of transformers writes; its batches are made before the clock starts."""
    from transformers import AlbertForPreTraining, logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model: nn.Module = AlbertForPreTraining.from_pretrained(folder, attn_implementation=attention).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY, fused=True)  # as its Trainer has it

    def step(_: PendingBatch, batch: dict[str, Tensor]) -> Outcome:
        with execution.autocast():
            loss = model(**batch).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()
        return Outcome(loss.item(), norm.item())

    return Contender("transformers", execution.precision, attention, step)


def check_agreement(contenders: Sequence[Contender], outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Compare the first steps, which begin with the same weights on the same batch.

    Returns:
        For each precision of ours, how far its loss is from those of transformers in fp32, in nats.

    Raises:
        AlbertkitError: the losses or the gradients in fp32 are not the same: the figures would compare two things.
    """
    first = list(zip(contenders, outcomes, strict=True))
    peers = [outcome for who, outcome in first if not who.is_ours and who.precision == "fp32"]
    found: dict[str, float] = {}
    for who, outcome in first:
        if not who.is_ours:
            continue
        found[who.precision] = max(abs(outcome.loss - peer.loss) for peer in peers)
        norms = max(abs(outcome.gradient_norm / peer.gradient_norm - 1) for peer in peers)
        if who.precision == "fp32" and not (found["fp32"] <= AGREEMENT and norms <= 1e-3):
            raise AlbertkitError(
                f"the losses of albertkit and transformers differ by {found['fp32']:.2g} nats and their gradients' "
                f"lengths by {norms:.2g} of them, more than rounding: the two loops do not train the same"
            )
    return found


def interleaved(ours: Sequence[Contender], peers: Sequence[Contender]) -> Iterator[Contender]:
    """Yield ours, peer, ours, peer, ..: each peer right after ours in the same precision."""
    for peer in peers:
        yield from (one for one in ours if one.precision == peer.precision)
        yield peer


def measure_case(
    length: int, batches: Sequence[PendingBatch], contenders: Sequence[Contender], *, warm_up: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Time the contenders on the same batches, first `warm_up` of them without the clock.

    Returns:
        Rows of the report, one for each precision of ours, and the figures of each contender.
    """
    ours = [one for one in contenders if one.is_ours]
    peers = [one for one in contenders if not one.is_ours]
    slots = tokens = 0
    for number, pending in enumerate(batches):
        batch = padded(pending)
        if number < warm_up:
            outcomes = [one.step(pending, batch) for one in contenders]
            if number == 0:
                differences = check_agreement(contenders, outcomes)
            continue
        count = int(batch["attention_mask"].sum())
        slots, tokens = slots + batch["input_ids"].numel(), tokens + count
        for one in interleaved(ours, peers[:: 1 if number % 2 else -1]):
            started = time.perf_counter()
            one.step(pending, batch)
            one.rates.append(count / (time.perf_counter() - started))
    case = f"{length} tokens"
    rows = []
    for own in ours:
        # fp32 is compared with fp32; the faster precision with the best that transformers can do at all.
        fair = [peer for peer in peers if own.precision != "fp32" or peer.precision == "fp32"]
        best = max(fair, key=lambda peer: peer.rate)
        rows.append(
            {
                "case": case,
                "precision": own.precision,
                "ours": round(own.rate, 1),
                "peer": round(best.rate, 1),
                "peer_name": best.name,
                "peer_mode": "best",
                "peer_precision": best.precision,
                "peer_attention": best.attention,
                "unit": "tokens/s",
                "ratio": round(own.rate / best.rate, 3),
                "max_difference": differences[own.precision],
                "padded_share": round(1 - tokens / slots, 4),
            }
        )
    return rows, [{"case": case, **one.figures()} for one in contenders]


def save_start(folder: Path, tokenizer: Tokenizer, *, model: str, seed: int = 1) -> None:
    """Write the weights that every contender begins with."""
    # Wider weights than fresh ones: losses of nearly equal logits would agree whatever the layers do. No dropout:
    # transformers has one before its order head in training, which Google's code has not.
    config = replace(published_config(model), initializer_range=0.1, classifier_dropout_prob=0.0).with_dropout(0.0)
    torch.manual_seed(seed)
    heads = pretraining_heads(config, ("mlm", "sop"))
    for parameter in (parameter for head in heads.values() for parameter in head.parameters() if parameter.dim() == 2):
        nn.init.normal_(parameter, std=config.initializer_range)
    save_model(Model(Network(Encoder(config), heads), tokenizer), folder)


def contenders_of(folder: Path, execution: Execution, *, precisions: Iterable[str]) -> list[Contender]:
    """Return ours and transformers' in each precision, all with the same weights."""
    modes = [replace(execution, precision=precision) for precision in precisions]
    ours = [albertkit_contender(folder, mode) for mode in modes]
    peers = [transformers_contender(folder, mode, attention=name) for name in ("sdpa", "eager") for mode in modes]
    return [*ours, *peers]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print JSON, return the exit code."""
    parser = options_of(__doc__, threads=2, quick="two rounds a case and small matrices: a first look")
    parser.add_argument("--model", default="albert-nano", metavar="NAME", help="whose shape is trained (%(default)s)")
    parser.add_argument("--batch-tokens", type=int, default=4096, metavar="N", help="tokens a step (%(default)s)")
    parser.add_argument(
        "--lengths", type=int, nargs="+", default=list(LENGTHS), metavar="N", help="longest sequences (64 128 512)"
    )
    options = parsed(parser, arguments)
    # All contenders share oneDNN's cache of compiled products; with albertkit's own small one they would evict each
    # other's. This is oneDNN's default.
    os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = "1024"
    return run_program(measure, options)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run every case and return the report."""
    rounds, warm_up = options.rounds or (2 if options.quick else 7), 1 if options.quick else 2
    progress = Console()
    execution = choose_execution(device="cpu", precision="fp32", threads=options.threads)
    report: dict[str, Any] = {"name": "pretraining", "machine": machine(execution)}
    report["peaks"] = matrix_peaks(size=1024 if options.quick else 4096, repeats=3 if options.quick else 5)
    tokenizer = Tokenizer.official()
    corpus = SnippetCorpus(tokenizer)
    cases, details = [], []
    with tempfile.TemporaryDirectory(prefix="albertkit-benchmark-") as parent:
        folder = Path(parent) / "start"
        save_start(folder, tokenizer, model=options.model)
        for length in options.lengths:
            stream = instance_stream(corpus, tokenizer, max_length=length, batch_tokens=options.batch_tokens)
            batches = [pending for pending, _ in islice(stream.batches(), warm_up + rounds)]
            contenders = contenders_of(folder, execution, precisions=("fp32", "bf16"))
            rows, figures = measure_case(length, batches, contenders, warm_up=warm_up)
            for row in rows:
                progress.report(
                    f"{row['case']}, {row['precision']}: {row['ours']:,.0f} {row['unit']}, {row['peer_name']} "
                    f"({row['peer_precision']}, {row['peer_attention']}) {row['peer']:,.0f}, ratio {row['ratio']:.2f}"
                )
            cases += rows
            details += figures
    return {**report, "cases": cases, "details": details}


if __name__ == "__main__":
    sys.exit(main())
