"""The rows of worth.py: what a model's vectors, frozen features and fine-tuned heads are worth on public data."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from few_shot import write
from scipy.stats import spearmanr

from albertkit.data.examples import TextExample
from albertkit.datasets import open_data
from albertkit.datasets.archive import find_files
from albertkit.evaluation.report import Report
from albertkit.hardware.device import choose_execution
from albertkit.inference.predictor import Predictor
from albertkit.io.vectors import unit
from albertkit.training.finetune import finetune
from albertkit.training.settings import FinetuneSettings

TITLES = 5000
"""News titles among which the nearest are looked for."""
NEIGHBOURS = 10
FROZEN = {"freeze_encoder": True, "pooling": "mean", "head_hidden": (64,), "head_norm": "batch", "epochs": 30}
TUTORIAL = {"freeze_encoder": True, "pooling": "pooler", "head_hidden": (30,), "head_norm": "batch", "epochs": 100}
"""TF Hub's ALBERT tutorial: a dense layer of 30 with batch normalization on the pooled output."""


class Row(Protocol):
    """One row of the table."""

    @property
    def name(self) -> str:
        """What is measured."""
        ...

    @property
    def draws(self) -> int:
        """How many seeds the row wants: one where nothing is drawn."""
        ...

    def measure(self, model: str, *, seed: int, out: Path, threads: int | None) -> dict[str, float]:
        """Return the scores, the main one first."""
        ...


@dataclass(frozen=True)
class Similarity:
    """Spearman's correlation of the vectors' cosines and people's scores of pairs; no pair is trained on."""

    name: str
    data: str
    folder: Path
    split: str
    draws: int = 1

    def measure(self, model: str, *, seed: int, out: Path, threads: int | None) -> dict[str, float]:  # noqa: ARG002 - nothing is drawn or trained
        """Embed both texts of every pair."""
        rows: Sequence[TextExample] = open_data(self.data, data_dir=str(self.folder)).split(self.split).examples
        predictor = Predictor.load(model, execution=choose_execution(device="cpu", threads=threads))
        vectors = unit(predictor.embed([row.text for row in rows] + [str(row.pair) for row in rows]))
        cosines = (vectors[: len(rows)] * vectors[len(rows) :]).sum(1)
        return {"spearman": 100 * float(spearmanr(cosines, [row.label for row in rows]).statistic)}


@dataclass(frozen=True)
class Search:
    """How many of a title's nearest titles have its topic; TF-IDF's figure is reported, too."""

    name: str
    folder: Path
    draws: int = 1

    def measure(self, model: str, *, seed: int, out: Path, threads: int | None) -> dict[str, float]:  # noqa: ARG002 - nothing is drawn or trained
        """Compare all titles with all."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        titles, topics = self._titles()
        predictor = Predictor.load(model, execution=choose_execution(device="cpu", threads=threads))
        tfidf = TfidfVectorizer(sublinear_tf=True).fit_transform(titles)
        return {
            f"precision at {NEIGHBOURS}": _precision(unit(predictor.embed(titles)), topics),
            "tfidf": _precision(np.asarray(tfidf.todense(), np.float32), topics),
        }

    def _titles(self) -> tuple[list[str], npt.NDArray[Any]]:
        file = find_files(self.folder, folders=("ag_news", "ag_news_csv"), names=["test.csv"])["test.csv"]
        rows = [row for row in csv.reader(io.StringIO(file.read().decode("utf-8"))) if row[0].isdigit()]
        order = np.random.RandomState(0).permutation(len(rows))[:TITLES]
        return [rows[number][1] for number in order], np.array([rows[number][0] for number in order])


def _precision(vectors: npt.NDArray[np.float32], topics: npt.NDArray[Any]) -> float:
    """Return the share of the nearest texts that have each text's own topic."""
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argpartition(-cosines, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    return float((topics[nearest] == topics[:, None]).mean())


@dataclass(frozen=True)
class Finetuned:
    """A run of `albertkit.finetune` on a known data set."""

    name: str
    data: str
    folder: Path | None
    settings: Mapping[str, Any]
    draws: int = 3

    def measure(self, model: str, *, seed: int, out: Path, threads: int | None) -> dict[str, float]:
        """Train and score; a run that was stopped is resumed."""
        report = _run(model, self.data, self.folder, self.settings, seed=seed, out=out, threads=threads)
        return dict(report.metrics)


@dataclass(frozen=True)
class SmallTable:
    """A few rows of a known data set in a CSV file, trained with all defaults; TF-IDF's score is reported, too."""

    name: str
    data: str
    folder: Path | None
    rows: int
    scored: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    draws: int = 3

    def measure(self, model: str, *, seed: int, out: Path, threads: int | None) -> dict[str, float]:
        """Draw the rows by the seed and train on them."""
        source = open_data(self.data, data_dir=None if self.folder is None else str(self.folder))
        data = out.with_suffix(".data")
        data.mkdir(parents=True, exist_ok=True)
        for split, count in (("train", self.rows), ("test", self.scored)):
            examples = source.split(split).examples
            drawn = np.random.RandomState(seed).permutation(len(examples))[:count].tolist()
            write(data / f"{split}.csv", [examples[row] for row in drawn], source.labels)
        report = _run(model, str(data), None, {"baseline": True, **self.settings}, seed=seed, out=out, threads=threads)
        main = next(iter(report.metrics))
        tfidf = next(one.metrics[main] for one in report.baselines if one.name.startswith("tfidf"))
        return {**report.metrics, "tfidf": tfidf}


@dataclass(frozen=True)
class Tagged:
    """The first sentences of CoNLL++ and all defaults."""

    name: str
    folder: Path
    sentences: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    draws: int = 3

    def measure(self, model: str, *, seed: int, out: Path, threads: int | None) -> dict[str, float]:
        """Train on some sentences of train, drawn by the seed, and score all of test."""
        data = out.with_suffix(".data")
        data.mkdir(parents=True, exist_ok=True)
        for split in ("train", "test"):
            (file,) = find_files(self.folder, folders=("ner_conllpp",), names=[f"conllpp_{split}.txt"]).values()
            blocks = [block for block in file.read().decode("utf-8").split("\n\n") if block.strip()]
            blocks = [block for block in blocks if not block.startswith("-DOCSTART-")]
            if split == "train":
                drawn = np.random.RandomState(seed).permutation(len(blocks))[: self.sentences].tolist()
                blocks = [blocks[number] for number in drawn]
            (data / f"{split}.conll").write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
        return dict(_run(model, str(data), None, self.settings, seed=seed, out=out, threads=threads).metrics)


def _run(
    model: str,
    data: str,
    folder: Path | None,
    settings: Mapping[str, Any],
    *,
    seed: int,
    out: Path,
    threads: int | None,
) -> Report:
    chosen = {"baseline": False, "threads": threads, **settings}
    where = None if folder is None else str(folder)
    return finetune(
        FinetuneSettings(model=model, data=data, data_dir=where, out=str(out), seed=seed, **chosen), resume=True
    )


def rows_of(data_dir: Path) -> list[Row]:
    """Return all rows of the table, the quick ones first.

    Args:
        data_dir: holds `glue/`, `aclImdb/`, `sick/`, `ag_news/` and `ner_conllpp/`, as far as they are wanted.
    """
    glue, imdb = data_dir / "glue", data_dir / "aclImdb"
    rows: list[Row] = [
        Similarity("STS-B dev: vectors", "glue/stsb", glue, "dev"),
        Similarity("SICK test: vectors", "sick/relatedness", data_dir / "sick", "test"),
        Search("AG News titles: vectors", data_dir / "ag_news"),
        SmallTable("300 reviews: all defaults", "imdb", imdb, 300, 500, draws=10),
        Tagged("NER, 700 sentences: all defaults", data_dir / "ner_conllpp", 700),
    ]
    for name, data, folder, settings in (
        ("polarity", "polarity", None, {"max_length": 128, "epochs": 3}),
        ("RTE", "glue/rte", glue, {"max_length": 128, "epochs": 3}),
        ("MRPC", "glue/mrpc", glue, {"max_length": 128, "epochs": 3}),
        ("STS-B", "glue/stsb", glue, {"max_length": 128, "epochs": 3}),
        ("SST-2", "glue/sst2", glue, {"max_length": 64, "epochs": 2}),
        ("IMDB, 128 tokens", "imdb", imdb, {"max_length": 128, "epochs": 2, "validation": 0.1}),
        ("IMDB, 512 tokens", "imdb", imdb, {"max_length": 512, "epochs": 2, "validation": 0.1}),
    ):
        length = {"max_length": settings["max_length"], "validation": 0.1}
        rows.append(Finetuned(f"{name}: frozen", data, folder, {**FROZEN, **length}))
        rows.append(Finetuned(f"{name}: fine-tuned", data, folder, settings))
    compared = {"task": "similarity", "max_length": 128, "epochs": 4, "learning_rate": 2e-4}
    rows.append(Finetuned("STS-B: fine-tuned as similarity", "glue/stsb", glue, compared))
    tutorial = {**TUTORIAL, "max_length": 128, "validation": 0.1}
    rows.append(Finetuned("IMDB, 128 tokens: the tutorial", "imdb", imdb, tutorial))
    return rows
