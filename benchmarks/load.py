"""Seconds to load a model from a warm disk cache: albertkit against transformers and against plainly reading the file.

    python benchmarks/load.py [--model albert-xlarge-v2] [--rounds 7] [--json-out FILE]

The weights are random, in the shape of the model named; all three read the same safetensors file in turn, in one
process. transformers maps the file and looks at nothing; albertkit maps it, too, and looks at every value once, so that
a file with NaN in it is refused; the first pass over the weights pays what loading put off.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from harness import in_turns, options_of, parsed, row, run_program, spread
from machine import machine

from albertkit.batching.batch import Batch
from albertkit.errors import AlbertkitError
from albertkit.hardware.device import choose_execution
from albertkit.models.pretrained import fresh_model, load_encoder, save_model

AGREEMENT = 1e-4
"""Largest difference between the two encoders' outputs."""
WITHIN = 1.5
"""Times the reading of the file: the bound that albertkit sets itself."""


def contenders(folder: Path) -> dict[str, Callable[[], Any]]:
    """Return name -> what is timed."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    file = folder / "model.safetensors"
    return {
        "read": file.read_bytes,
        "albertkit": lambda: load_encoder(folder, trainable=False),
        "transformers": lambda: transformers.AlbertModel.from_pretrained(folder).eval(),
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Load in turn, `rounds` times after one that does not count, and return the report."""
    execution = choose_execution(device="cpu", precision="fp32", threads=options.threads)
    report: dict[str, Any] = {"name": "load", "machine": machine(execution)}
    with tempfile.TemporaryDirectory(prefix="albertkit-benchmark-") as parent:
        folder = Path(parent) / "model"
        save_model(fresh_model(options.model), folder)
        timed = contenders(folder)
        difference = _difference(timed["albertkit"](), timed["transformers"]())
        seconds, _ = in_turns({name: _dropped(load) for name, load in timed.items()}, rounds=options.rounds)
        size = (folder / "model.safetensors").stat().st_size
    medians = {name: spread(each)["median"] for name, each in seconds.items()}
    case = row(
        options.model,
        ours=medians["albertkit"],
        peer=medians["transformers"],
        unit="s",
        peer_name="transformers",
        peer_mode="as-is",
        precision="fp32",
        peer_precision="fp32",
        max_difference=difference,
        megabytes=round(size / 1e6, 1),
        read=medians["read"],
        times_the_reading=round(medians["albertkit"] / medians["read"], 2),
        within=WITHIN,
    )
    return {**report, "peaks": {}, "cases": [case], "details": {name: spread(each) for name, each in seconds.items()}}


def _dropped(load: Callable[[], Any]) -> Callable[[], None]:
    """Return the load without what it loads: only one set of weights is held at a time."""

    def timed() -> None:
        load()

    return timed


def _difference(ours: Any, theirs: Any) -> float:
    import torch

    ids = np.array([[2, 48, 25, 21, 1289, 3]])
    with torch.inference_mode():
        own = ours(Batch.from_padded(ids, np.ones_like(ids), np.zeros_like(ids))).sequence_output
        peer = theirs(input_ids=torch.from_numpy(ids)).last_hidden_state[0]
    difference = float((own - peer).abs().max())
    if not difference < AGREEMENT:
        raise AlbertkitError(f"the outputs differ by {difference:g}, more than {AGREEMENT:g}: not the same model")
    return difference


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print JSON, return the exit code."""
    parser = options_of(__doc__, threads=2, quick="albert-base-v2's shape and two rounds: a first look")
    parser.add_argument("--model", metavar="NAME", help="whose shape (albert-xlarge-v2, --quick albert-base-v2)")
    options = parsed(parser, arguments)
    options.model = options.model or ("albert-base-v2" if options.quick else "albert-xlarge-v2")
    options.rounds = options.rounds or (2 if options.quick else 7)
    return run_program(measure, options)


if __name__ == "__main__":
    sys.exit(main())
