"""Seconds to load a model from a warm disk cache: albertkit beside transformers and beside plainly reading the file.

    python benchmarks/load.py [--model albert-xlarge-v2] [--rounds 7] [--json-out FILE]

The weights are random, in the shape of the model named; all three read the same safetensors file in turn, in one
process. transformers maps the file and looks at nothing; albertkit maps it, too, and looks at every value once, so that
a file with NaN in it is refused; the first pass over the weights pays what loading put off.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine

from albertkit.batch import Batch
from albertkit.device import choose_execution
from albertkit.errors import AlbertkitError
from albertkit.files import write_json
from albertkit.pretrained import fresh_model, load_encoder, save_model

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
        seconds: dict[str, list[float]] = {name: [] for name in timed}
        for _ in range(1 + options.rounds):
            for name, load in timed.items():
                started = time.perf_counter()
                held = load()
                seconds[name].append(time.perf_counter() - started)
                del held
        size = (folder / "model.safetensors").stat().st_size
    medians = {name: statistics.median(each[1:]) for name, each in seconds.items()}
    row = {
        "case": options.model,
        "precision": "fp32",
        "unit": "s",
        "megabytes": round(size / 1e6, 1),
        "ours": round(medians["albertkit"], 4),
        "peer": round(medians["transformers"], 4),
        "peer_name": "transformers",
        "peer_mode": "as-is",
        "peer_precision": "fp32",
        "ratio": round(medians["transformers"] / medians["albertkit"], 2),
        "read": round(medians["read"], 4),
        "times_the_reading": round(medians["albertkit"] / medians["read"], 2),
        "max_difference": difference,
    }
    return {**report, "cases": [row], "details": {name: [round(s, 4) for s in each] for name, each in seconds.items()}}


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
    """Measure, print JSON, return the exit code: 1 when loading takes more than it should."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="albert-xlarge-v2", metavar="NAME", help="whose shape (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="timed loads of each (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="processor threads (%(default)s)")
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
    return int(report["cases"][0]["times_the_reading"] > WITHIN)


if __name__ == "__main__":
    sys.exit(main())
