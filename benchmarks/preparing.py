"""KB/s of raw text to what a pretraining reads, on one core: tokens, sentences, pairs and masks.

    python benchmarks/preparing.py [--data-dir DIR] [--quick] [--json-out FILE]

See README.md in this folder for what is compared; the peer's figure is a recorded one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetuning import texts_of
from harness import Report, options_of, parsed, row, run_program, spread
from machine import machine
from pretraining import instance_stream

from albertkit.data.corpus.prepare import prepare
from albertkit.data.corpus.shards import Corpus
from albertkit.hardware.device import choose_execution
from albertkit.io.progress import Console
from albertkit.text.tokenizer import Tokenizer

RECORDED = 105.0
"""KB/s of one core of Google's `create_pretraining_data.py`: a recorded figure, never measured in the run."""
LENGTH, BATCH_TOKENS = 512, 4096


def measure(options: Any) -> Report:
    """Prepare the same text over and over and return the report."""
    rounds = options.rounds or (1 if options.quick else 3)
    execution = choose_execution(device="cpu", precision="fp32", threads=1)
    report: Report = {"name": "prepare", "machine": machine(execution), "peaks": {}}
    tokenizer = Tokenizer.official()
    found: dict[str, list[float]] = {"prepare": [], "instances": []}
    with tempfile.TemporaryDirectory(prefix="albertkit-benchmark-") as parent:
        text = Path(parent) / "text.txt"
        text.write_text("\n\n".join(texts_of(options.data_dir, options.texts)), encoding="utf-8")
        size = text.stat().st_size
        for number in range(rounds):
            shards = Path(parent) / f"shards-{number}"
            started = time.process_time()  # seconds of a core, whatever else runs on it
            prepare([text], out=shards, tokenizer=tokenizer, max_length=LENGTH, processes=1)
            found["prepare"].append(time.process_time() - started)
            corpus: Any = Corpus.open(shards)
            stream = instance_stream(corpus, tokenizer, max_length=LENGTH, batch_tokens=BATCH_TOKENS)
            started = time.process_time()
            for pending, position in stream.batches():
                if position.epoch:
                    break
                pending.build()
            found["instances"].append(time.process_time() - started)
    both = [sum(pair) for pair in zip(found["prepare"], found["instances"], strict=True)]
    case = row(
        "IMDB" if options.data_dir is not None else "joined snippets",
        ours=size / 1000 / spread(both)["median"],
        peer=RECORDED,
        unit="KB/s",
        peer_name="create_pretraining_data.py",
        peer_mode="as-is",
        peer_measured="recorded, not in this run",
        kilobytes=round(size / 1000),
        prepare_only=round(size / 1000 / spread(found["prepare"])["median"], 1),
    )
    Console().report(f"{case['ours']:,.0f} KB/s a core; recorded for create_pretraining_data.py: {RECORDED:.0f}")
    return {**report, "cases": [case], "details": found}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print JSON, return the exit code."""
    parser = options_of(__doc__, threads=1, quick="few texts and one round: a first look")
    parser.add_argument("--texts", type=int, metavar="N", help="texts to prepare (4000, --quick 200)")
    options = parsed(parser, arguments, positive=("texts",))
    options.texts = options.texts or (200 if options.quick else 4000)
    return run_program(measure, options)


if __name__ == "__main__":
    sys.exit(main())
