"""A made-up GLUE in the official layout, small enough to run as a whole in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tests.tiny import keyword_rows

from albertkit.datasets.glue import TASKS

PAIRED = ("mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli")
LABELS = {
    "mnli": ("contradiction", "entailment", "neutral"),
    "qnli": ("entailment", "not_entailment"),
    "rte": ("entailment", "not_entailment"),
}
DIAGNOSTIC = "diagnostic/diagnostic.tsv"


def write_glue(root: Path, tasks: Sequence[str] = tuple(TASKS), *, rows: int = 24, test_rows: int = 7) -> Path:
    """Write train, dev and test files of the tasks, and the diagnostics where MNLI is among them; return the folder."""
    for task in tasks:
        spec = TASKS[task]
        for number, (split, name) in enumerate(spec.files.items()):
            if split == "dev_partial":
                continue
            count = test_rows if split.startswith("test") else rows
            _write(root / spec.folder / name, task, split, count, seed=number)
    if "mnli" in tasks:
        _write(root / DIAGNOSTIC, "rte", "test", 5, seed=9)
    return root


def _write(path: Path, task: str, split: str, count: int, *, seed: int) -> None:
    spec = TASKS[task]
    test, names = split.startswith("test"), LABELS.get(task, ("0", "1"))
    random = np.random.RandomState(seed)
    lines = []
    for index, (text, kind) in enumerate(keyword_rows(count, seed=seed)):
        label = f"{random.rand() * 5:.3f}" if task == "stsb" else names[index % len(names)]
        if task == "cola" and not test:
            lines.append(["made", label, "" if kind == "good" else "*", text])
            continue
        cells = [] if task in ("sst2", "mrpc") and not test else [str(index)]
        if task == "mrpc":
            cells = [*([] if test else [label]), *cells, "1", "2", text, text[::-1]]
            lines.append(cells)
            continue
        if task == "qqp" and not test:
            cells += ["1", "2"]
        cells += [text, *([f"so {text}"] if task in PAIRED else []), *([] if test else [label])]
        lines.append(cells)
    head: list[str] = []
    if task == "mrpc":
        head = [*(["index"] if test else ["Quality"]), "#1 ID", "#2 ID", "#1 String", "#2 String"]
    elif task != "cola" or test:
        head = [] if task == "sst2" and not test else ["id" if task == "qqp" else "index"]
        head += ["qid1", "qid2"] if task == "qqp" and not test else []
        head += [spec.text, *([spec.pair] if spec.pair else []), *([] if test else [spec.label])]
    path.parent.mkdir(parents=True, exist_ok=True)
    table = [head, *lines] if head else lines
    path.write_text("".join("\t".join(row) + "\n" for row in table), encoding="utf-8")
