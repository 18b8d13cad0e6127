"""What the fuzzer breaks: a healthy folder for each reader, and the reading."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

from albertkit import __version__
from albertkit.data.corpus.documents import Position
from albertkit.data.corpus.inputs import Input
from albertkit.data.corpus.journal import COUNTS, Journal
from albertkit.data.corpus.shards import Corpus, ShardWriter
from albertkit.datasets import open_data
from albertkit.evaluation.plots import history_figure
from albertkit.evaluation.pretraining_plots import panels_of, pretraining_figure, read_curves
from albertkit.evaluation.report import ChosenBy, Report
from albertkit.evaluation.report_table import render
from albertkit.io.progress import Silent
from albertkit.scoring.score import Confusion
from albertkit.text.tokenizer import Tokenizer
from albertkit.training.epoch_state import EpochState
from albertkit.training.glue.settings import GlueSettings
from albertkit.training.glue.settings import begin as begin_glue
from albertkit.training.history import EpochRecord
from albertkit.training.pretraining.state import PretrainState
from albertkit.training.run_folder import RunFolder
from albertkit.training.settings import FinetuneSettings
from albertkit.training.splits import scored_part

SCORES = {"train": {"loss": 0.5, "accuracy": 81.25}, "validation": {"loss": 0.75, "accuracy": 62.5}}


@dataclass(frozen=True)
class Reader:
    """A healthy folder and who reads it."""

    read: Callable[[Path, int], Any]
    """Reads the folder; the number is the case's, for work that not every case needs."""
    victims: list[str]
    """Files to damage."""
    also: tuple[str, ...] = ()
    """Files that reading writes."""

    @property
    def files(self) -> list[str]:
        """All that is put back after a case."""
        return sorted({*self.victims, *self.also})


SETTINGS = FinetuneSettings(model="m", data="polarity", out="o", epochs=3, limit=40, head_hidden=(3,)).to_dict()
INPUTS = {"labels": ["bad", "good"], "training examples": {"number": 3, "texts": "a", "labels": "b"}, "tokenizer": "c"}


def settings_of_a_run(folder: Path) -> Reader:
    RunFolder.open(folder, SETTINGS, resume=True, inputs=INPUTS).begin(SETTINGS, step=0)
    source = open_data("polarity")

    def read(folder: Path, number: int) -> None:
        panels_of(folder)
        if number % 8:
            RunFolder.open(folder, SETTINGS, resume=True, inputs=INPUTS)
        else:
            scored_part(folder, source)

    return Reader(read, ["config.json"])


def events_of_a_run(folder: Path) -> Reader:
    RunFolder.open(folder, SETTINGS, resume=True).begin(SETTINGS, step=0)
    figures = {"mlm_loss": 3.5, "mlm_accuracy": 40.0, "sop_loss": 0.5, "sop_accuracy": 75.0}
    run = RunFolder(folder)
    for step in range(1, 9):
        event = "evaluation" if step % 3 == 0 else "step"
        run.log({"event": event, "step": step, "training_tokens": 1000 * step, **figures})

    def read(folder: Path, number: int) -> None:
        curves = read_curves(folder)
        if number % 200 == 0:
            pretraining_figure({"run": curves}).savefig(io.BytesIO())
        RunFolder(folder).begin(SETTINGS, step=number % 9)

    return Reader(read, ["metrics.jsonl"], also=("config.json",))


def report_of_a_run(folder: Path) -> Reader:
    table = [1.0, 2.0, 3.0]
    calibration = {
        "expected_calibration_error": 4.5, "confidence": 70.0, "accuracy": 65.5,
        "bins": [{"lower": 0.0, "upper": 50.0, "examples": 3, "confidence": 40.0, "accuracy": None}],
    }  # fmt: skip
    report = Report(
        "classification", "polarity", "albert-nano", {"accuracy": 80.5, "f1": None}, "test", best_epoch=2,
        epochs=[SCORES, SCORES], seconds=3.5, examples=7, chosen_by=ChosenBy("dev", "accuracy"),
        examples_by_split={"train": 40}, skipped={"train": 2},
        confusion=Confusion(("bad", "good"), ((3, 1), (0, 3))), temperature=1.25, notes=("a note",),
        environment={"threads": 1}, command={"seed": 1, "widths": table}, intervals={"accuracy": (60.0, 92.5)},
    ).to_dict()  # fmt: skip
    baseline = {"name": "majority", "metrics": {"accuracy": 57.0}, "seconds": 0.5, "notes": []}
    report |= {"calibration": calibration, "calibration_before": calibration, "baselines": [baseline]}
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "config.json").write_text(json.dumps(SETTINGS))

    def read(folder: Path, number: int) -> None:
        found = Report.read(folder)
        render(found, console=Console(file=io.StringIO(), width=80))
        found.to_dict()
        if found.epochs and number % 200 == 0:
            history_figure(found.epochs, best_epoch=found.best_epoch).savefig(io.BytesIO())

    return Reader(read, ["report.json"])


def _network() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(3)
    network = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2))
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    return network, optimizer


def checkpoints_of_finetune(folder: Path) -> Reader:
    run, (network, optimizer) = RunFolder(folder), _network()
    state = EpochState(network, optimizer, EpochRecord(7, 2), main="accuracy")
    state.end_epoch(SCORES)
    run.save_checkpoint({"weights": network.state_dict(), "epoch": 1, "task": {"temperature": 1.5}}, name="best")
    state.step = 4
    state.save(run)

    def read(folder: Path, _: int) -> None:
        network, optimizer = _network()
        state = EpochState(network, optimizer, EpochRecord(7, 2), main="accuracy")
        state.restore(RunFolder(folder))
        if state.best_epoch:
            network.load_state_dict(state.best(RunFolder(folder))["weights"])
        _train_on(network, optimizer)
        state.end_epoch(SCORES)
        state.step += 1
        state.save(RunFolder(folder))

    return Reader(read, ["checkpoints/last.pt", "checkpoints/best.pt"])


def checkpoints_of_pretrain(folder: Path) -> Reader:
    state = PretrainState(*_network())
    state.step, state.tokens, state.evaluations = 5, 1000, [{"step": 3, "mlm_loss": 2.5}]
    state.save(RunFolder(folder))

    def read(folder: Path, _: int) -> None:
        network, optimizer = _network()
        state, run = PretrainState(network, optimizer), RunFolder(folder)
        saved = run.load_checkpoint()
        if saved is None:
            return
        state.take_over(saved, folder=run)
        state.guard.is_good(2.0, 1.0)
        _train_on(network, optimizer)
        state.save(run)

    return Reader(read, ["checkpoints/last.pt"])


def _train_on(network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for group in optimizer.param_groups:
        group["lr"] = 1e-3
    optimizer.zero_grad(set_to_none=True)
    network(torch.ones(2, 3)).sum().backward()
    optimizer.step()


def settings_of_glue(folder: Path) -> Reader:
    settings = GlueSettings(model="m", data_dir="d", out=str(folder), tasks=("rte",), epochs=2)
    begin_glue(settings, resume=False)
    return Reader(lambda *_: begin_glue(settings, resume=True), ["glue.json"])


def _write_shards(folder: Path) -> dict[str, Any]:
    tokenizer = Tokenizer.official()
    tokenizer.save(folder / "tokenizer")
    writer = ShardWriter(folder, vocab_size=30_000)
    shards = []
    for first in (5, 9):
        tokens = torch.arange(first, first + 11).numpy().astype("<u2")
        lengths = torch.tensor([3, 2, 5, 1]).numpy()
        writer.add(tokens, sentence_lengths=lengths, document_lengths=torch.tensor([1, 3]).numpy())
        shards.append(writer.finish())
    writer.close()
    digest = hashlib.sha256(tokenizer.model).hexdigest()
    settings = {"tokenizer": {"vocab_size": 30_000, "sha256": digest}, "max_length": 64}
    return {"format": 1, **settings, "documents": 4, "sentences": 8, "tokens": 22, "shards": shards}


def shards(folder: Path) -> Reader:
    (folder / "manifest.json").write_text(json.dumps(_write_shards(folder)))

    def read(folder: Path, number: int) -> None:
        corpus = Corpus.open(folder, verify=number % 8 == 0)
        assert corpus.document_lengths.min() > 0
        for each in range(len(corpus)):
            document = corpus.document(each)
            assert document.starts[-1] == len(document.tokens)

    names = [f"{shard:05d}.{part}.npy" for shard in range(2) for part in ("tokens", "sentences", "documents")]
    return Reader(read, ["manifest.json", "manifest.json", *names])


def progress_of_shards(folder: Path) -> Reader:
    written = _write_shards(folder)
    settings = {name: written[name] for name in ("tokenizer", "max_length")}
    position = Position()._asdict()
    content = {**written, "albertkit": __version__, "bytes": 9, "counts": dict.fromkeys(COUNTS, 0), "names": ["t.txt"]}
    content |= {"inputs": [], "position": position}
    (folder / "progress.json").write_text(json.dumps(content))

    def read(folder: Path, _: int) -> None:
        sources = [Input("t.txt", folder / "progress.json")]
        Journal.open(folder, settings=settings, sources=sources, progress=Silent())

    return Reader(read, ["progress.json"])


READERS: dict[str, Callable[[Path], Reader]] = {
    "settings": settings_of_a_run,
    "events": events_of_a_run,
    "report": report_of_a_run,
    "checkpoints": checkpoints_of_finetune,
    "pretraining checkpoints": checkpoints_of_pretrain,
    "glue": settings_of_glue,
    "shards": shards,
    "progress of shards": progress_of_shards,
}
