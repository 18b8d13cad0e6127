"""Which tokenizers give the ids that ALBERT was trained with, and how fast: albertkit against its peers on real lines.

    python benchmarks/tokenizing.py [--data-dir DIR] [--texts FILE ...] [--slow-python PYTHON] [--json-out FILE]

See README.md in this folder for what is compared and how to read it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from harness import options_of, parsed, run_program
from machine import machine

from albertkit.errors import DataError
from albertkit.hardware.device import choose_execution
from albertkit.io.progress import Console
from albertkit.text.tokenizer import Tokenizer

SLOW_PYTHON = "ALBERTKIT_SLOW_PYTHON"
"""Environment variable: a Python with transformers 4.x and sentencepiece, whose slow tokenizer is the reference."""

TIMED_CHARACTERS = 250_000
"""About so much of each corpus is timed; all of it is compared."""

Split = Callable[[list[str]], list[list[int]]]
"""Lines -> ids of each, without special tokens."""

# Runs under the other Python: lines as JSON on standard input, the ids of its slow and its fast tokenizer out.
_SLOW_PROGRAM = """
import json, sys
import transformers, tokenizers
from transformers import AlbertTokenizer, AlbertTokenizerFast
folder, corpora = sys.argv[1], json.load(sys.stdin)
slow, fast = AlbertTokenizer.from_pretrained(folder), AlbertTokenizerFast.from_pretrained(folder)
ids = {
    name: {"slow": [slow.encode(line, add_special_tokens=False) for line in lines],
           "fast": fast(lines, add_special_tokens=False)["input_ids"]}
    for name, lines in corpora.items()
}
version = f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}"
json.dump({"version": version, "ids": ids}, sys.stdout)
"""


class Contender(NamedTuple):
    """One implementation."""

    name: str
    version: str
    split: Split


def polarity_lines() -> list[str]:
    """Return the snippets of film reviews that come with albertkit (tokenised and lower-cased by their authors)."""
    content = gzip.decompress((resources.files("albertkit") / "assets" / "polarity.tsv.gz").read_bytes())
    return [line.split("\t")[1] for line in content.decode("utf-8").split("\n") if "\t" in line]


def corpora_of(options: argparse.Namespace) -> dict[str, list[str]]:
    """Return the corpora, name -> lines, each thinned to the number asked for.

    Raises:
        DataError: a file cannot be read, or holds no line.
    """
    found = {"polarity": polarity_lines()}
    if options.data_dir is not None:
        reviews = sorted(options.data_dir.glob("aclImdb/test/*/*.txt"))
        step = max(1, len(reviews) // options.lines)
        if reviews:
            found["imdb"] = [_read(path).replace("\n", " ") for path in reviews[::step]]
        table = options.data_dir / "glue" / "SST-2" / "train.tsv"
        if table.is_file():
            found["glue/sst2"] = [line.split("\t")[0] for line in _read(table).split("\n")[1:]]
        if len(found) == 1:
            raise DataError(f"{options.data_dir}: holds neither aclImdb/test nor glue/SST-2/train.tsv")
    for path in options.texts:
        found[path.stem] = _read(path).split("\n")
    for name, lines in found.items():
        kept = [line for line in lines if line.strip()]
        if not kept:
            raise DataError(f"{name}: holds no line of text")
        found[name] = kept[:: max(1, len(kept) // options.lines)][: options.lines]
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text ({error})") from error


def albertkit_contender(name: str, *, mode: str) -> Contender:
    """Return one of our modes."""
    import sentencepiece

    from albertkit import __version__

    tokenizer = Tokenizer.official(mode=mode)
    version = f"albertkit {__version__}, sentencepiece {sentencepiece.__version__}"

    return Contender(name, version, tokenizer.ids_of)


def fast_contender(name: str, folder: Path, *, kind: str) -> Contender:
    """Return the fast tokenizer that a class of the installed transformers makes of a folder."""
    import tokenizers
    import transformers

    version = f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}"
    tokenizer = getattr(transformers, kind).from_pretrained(folder)
    return Contender(name, version, lambda lines: tokenizer(lines, add_special_tokens=False)["input_ids"])


def slow_contenders(python: str, folder: Path, corpora: dict[str, list[str]]) -> list[Contender]:
    """Return the slow and the fast tokenizer of another Python's transformers, built from the pieces.

    Raises:
        DataError: that Python has no such tokenizers.
    """
    given = json.dumps(corpora)
    command = [python, "-c", _SLOW_PROGRAM, str(folder)]
    environment = {**os.environ, "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1"}
    try:
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=True, env=environment)
    except (OSError, subprocess.CalledProcessError) as error:
        last = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        raise DataError(f"{python}: cannot run transformers 4.x with sentencepiece ({last})") from error
    answer = json.loads(done.stdout)
    by_lines = {tuple(lines): answer["ids"][name] for name, lines in corpora.items()}
    return [
        Contender("transformers slow", answer["version"], lambda lines: by_lines[tuple(lines)]["slow"]),
        Contender(
            "transformers fast, from spiece.model", answer["version"], lambda lines: by_lines[tuple(lines)]["fast"]
        ),
    ]


def agreement(corpora: dict[str, list[str]], contenders: Sequence[Contender], *, unknown: int) -> list[dict[str, Any]]:
    """Return a row for each implementation: percent of lines whose ids differ from the first one's, by corpus."""
    reference = {name: contenders[0].split(lines) for name, lines in corpora.items()}
    rows = []
    for one in contenders:
        different, unknowns = {}, {}
        for name, lines in corpora.items():
            ids = one.split(lines)
            wrong = sum(mine != other for mine, other in zip(ids, reference[name], strict=True))
            different[name] = round(100 * wrong / len(lines), 2)
            count = sum(map(len, ids))
            unknowns[name] = round(100 * sum(row.count(unknown) for row in ids) / max(count, 1), 2)
        rows.append({"name": one.name, "version": one.version, "different": different, "unknown": unknowns})
    return rows


def speed(
    name: str, lines: list[str], ours: Contender, peers: Sequence[Contender], *, rounds: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Time all in turns on the same lines; return a case of the report, with the fastest peer, and every median."""
    lines = lines[:: max(1, sum(map(len, lines)) // TIMED_CHARACTERS)]
    contenders = [ours, *peers]
    ids = {one.name: one.split(lines) for one in contenders}  # a warm-up, too
    rates: dict[str, list[float]] = {one.name: [] for one in contenders}
    for number in range(rounds):
        for one in contenders[:: 1 if number % 2 else -1]:
            started = time.perf_counter()
            one.split(lines)
            rates[one.name].append(sum(map(len, ids[one.name])) / (time.perf_counter() - started))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    best = max(peers, key=lambda one: medians[one.name])
    case = {
        "case": name,
        "precision": None,
        "ours": round(medians[ours.name], 1),
        "peer": round(medians[best.name], 1),
        "peer_name": "transformers",
        "peer_mode": "best",
        "peer_precision": None,
        "peer_tokenizer": best.name,
        "unit": "tokens/s",
        "ratio": round(medians[ours.name] / medians[best.name], 3),
        "max_difference": sum(one != two for one, two in zip(ids[ours.name], ids[best.name], strict=True)),
    }
    details = [
        {"case": name, "name": one, "median": round(medians[one], 1), "slowest": min(found), "fastest": max(found)}
        for one, found in rates.items()
    ]
    return case, details


def table(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    """Return the agreement as a Markdown table."""
    lines = [f"| implementation | version | {' | '.join(names)} |", f"|---|---|{'---|' * len(names)}"]
    for row in rows:
        shown = " | ".join(f"{row['different'][name]:.1f}" for name in names)
        lines.append(f"| {row['name']} | {row['version']} | {shown} |")
    return "\n".join(lines)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Compare and time, and return the report."""
    corpora = corpora_of(options)
    progress = Console()
    execution = choose_execution(device="cpu", precision="fp32", threads=options.threads)
    report: dict[str, Any] = {"name": "tokenizers", "machine": machine(execution), "peaks": {}}
    with tempfile.TemporaryDirectory(prefix="albertkit-benchmark-") as parent:
        bare, google, published = (Path(parent) / name for name in ("bare", "google", "published"))
        bare.mkdir()
        (bare / "spiece.model").write_bytes(Tokenizer.official().model)
        (bare / "config.json").write_text('{"model_type": "albert"}')
        Tokenizer.official(mode="google").save(google)
        Tokenizer.official(mode="huggingface").save(published)
        ours = albertkit_contender("Google's code (mode google)", mode="google")
        emulated = albertkit_contender("transformers slow (mode huggingface)", mode="huggingface")
        others = [
            albertkit_contender("TF Hub's albert_en_preprocess (mode tfhub)", mode="tfhub"),
            albertkit_contender("KerasHub, raw SentencePiece (mode keras)", mode="keras"),
        ]
        rebuilt = fast_contender("transformers fast, from spiece.model", bare, kind="AlbertTokenizer")
        slow = slow_contenders(options.slow_python, bare, corpora) if options.slow_python else []
        contenders = [
            *slow[:1],
            emulated,
            ours,
            *others,
            *slow[1:],
            rebuilt,
            fast_contender("transformers, tokenizer.json of albertkit (huggingface)", published, kind="AutoTokenizer"),
        ]
        rows = agreement(corpora, contenders, unknown=Tokenizer.official().unk_id)
        progress.report(f"Lines whose ids differ from those of {contenders[0].name}, in percent:\n")
        progress.report(table(rows, list(corpora)) + "\n")
        peers = [
            rebuilt,
            fast_contender("transformers, tokenizer.json of albertkit (google)", google, kind="AutoTokenizer"),
        ]
        cases: list[dict[str, Any]] = []
        details: list[dict[str, Any]] = []
        for name, lines in corpora.items():
            case, medians = speed(name, lines, ours, peers, rounds=options.rounds)
            progress.report(
                f"{name}: {case['ours']:,.0f} tokens/s, {case['peer_tokenizer']} {case['peer']:,.0f}, "
                f"ratio {case['ratio']:.2f}"
            )
            cases.append(case)
            details += medians
    counts = {name: len(lines) for name, lines in corpora.items()}
    compared = {"reference": contenders[0].name, "lines": counts, "rows": rows}
    return {**report, "cases": cases, "details": details, "agreement": compared}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print JSON, return the exit code."""
    parser = options_of(__doc__, threads=1, quick="300 lines a corpus and 2 rounds: a first look")
    parser.add_argument("--texts", type=Path, nargs="+", default=[], metavar="FILE", help="further corpora: text files")
    parser.add_argument("--lines", type=int, metavar="N", help="lines of each corpus, evenly spaced (3000)")
    parser.add_argument(
        "--slow-python",
        default=os.environ.get(SLOW_PYTHON),
        metavar="PYTHON",
        help=f"a Python with transformers 4.x and sentencepiece: the reference (${SLOW_PYTHON})",
    )
    options = parsed(parser, arguments, positive=("lines",))
    options.lines = options.lines or (300 if options.quick else 3000)
    options.rounds = options.rounds or (2 if options.quick else 7)
    # This program's own folder comes first on the path, where this file would be the library of the same name.
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]
    # Before the libraries start: the tokenizers library counts its threads by this, sentencepiece by what is allowed.
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: options.threads]))
    return run_program(measure, options)


if __name__ == "__main__":
    sys.exit(main())
