"""Seconds from the shell to a label: `albertkit predict RUN TEXT` next to the one line of transformers' pipeline.

    python benchmarks/starting.py [--run RUN] [--quick] [--json-out FILE]

Each in a process of its own, imports and loading included, in turns, the files warm in the disk cache. Without `--run`
three steps of training on the shipped film snippets make one from albert-nano. Both must give the same label.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness import Report, in_turns, options_of, parsed, row, run_program, spread
from machine import machine

from albertkit.errors import AlbertkitError
from albertkit.hardware.device import choose_execution
from albertkit.training.finetune import finetune
from albertkit.training.settings import FinetuneSettings

TEXT = "a small wonder of a film , funny and moving"
PIPELINE = (
    "import json, sys; from transformers import pipeline; "
    "print(json.dumps(pipeline('text-classification', model=sys.argv[1])(sys.argv[2])[0]))"
)
AGREEMENT = 1e-3
"""Largest difference of the label's probability; ours is in fp32 here, as theirs."""


def outputs_of(command: Sequence[str], environment: dict[str, str]) -> dict[str, Any]:
    """Run a command and return the JSON that it prints.

    Raises:
        AlbertkitError: it failed.
    """
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AlbertkitError(f"{' '.join(command[:4])} failed: {done.stderr.strip()[-300:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def measure(options: Any) -> Report:
    """Time both ways."""
    execution = choose_execution(device="cpu", precision="fp32", threads=options.threads)
    environment = os.environ | {"OMP_NUM_THREADS": str(options.threads), "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryDirectory(prefix="albertkit-benchmark-") as folder:
        run = options.run
        if run is None:
            run = Path(folder) / "run"
            finetune(
                FinetuneSettings(
                    model="albert-nano", data="polarity", out=str(run), steps=3, limit=64, baseline=False, plots=False
                )
            )
        ours = [sys.executable, "-m", "albertkit", "predict", str(run), TEXT, "--json", "--precision", "fp32"]
        theirs = [sys.executable, "-c", PIPELINE, str(run / "model"), TEXT]
        helped = [sys.executable, "-m", "albertkit", "--help"]
        runs: dict[str, Callable[[], Any]] = {
            "albertkit predict": partial(outputs_of, ours, environment),
            "transformers pipeline": partial(outputs_of, theirs, environment),
            "albertkit --help": partial(subprocess.run, helped, env=environment, capture_output=True, check=True),
        }
        seconds, given = in_turns(runs, rounds=options.rounds or (1 if options.quick else 5))
    own, peer = given["albertkit predict"][-1], given["transformers pipeline"][-1]
    difference = abs(own["probabilities"][own["label"]] - peer["score"])
    if own["label"] != peer["label"] or difference > AGREEMENT:
        raise AlbertkitError(f"the answers differ: {own} and {peer}")
    medians = {name: spread(found)["median"] for name, found in seconds.items()}
    cases = [
        row(
            "from the shell to a label",
            ours=medians["albertkit predict"],
            peer=medians["transformers pipeline"],
            unit="s",
            peer_name="transformers",
            peer_mode="pipeline",
            precision="fp32",
            peer_precision="fp32",
            max_difference=difference,
            help_seconds=medians["albertkit --help"],
        )
    ]
    details = {name: spread(found) for name, found in seconds.items()}
    return {"name": "starting", "machine": machine(execution), "peaks": {}, "cases": cases, "details": details}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print JSON, return the exit code."""
    parser = options_of(__doc__, threads=2, quick="one round: a first look")
    parser.add_argument("--run", type=Path, metavar="RUN", help="a run of text classification (made when left out)")
    return run_program(measure, parsed(parser, arguments))


if __name__ == "__main__":
    sys.exit(main())
