"""Requests/s and latency of a served classifier: `albertkit serve` next to uvicorn, FastAPI and transformers.

    python benchmarks/serving.py [--run RUN] [--data-dir DIR] [--quick] [--json-out FILE]
    python benchmarks/serving.py --run RUN --soak 600                # every answer checked; then 4 x what it can do
    python benchmarks/serving.py --run RUN --sigterms 200            # is anything lost when it is told to stop?

One text a request, from clients in a process of their own, who check every answer against `Predictor.predict`, fp32.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from harness import Report, options_of, parsed, row, run_program
from machine import machine
from serving_endure import sigterms, soak
from serving_servers import WITHIN, Server, albertkit_command, ask, peer_command

from albertkit.datasets import load_dataset
from albertkit.errors import AlbertkitError, UsageError
from albertkit.hardware.device import choose_execution
from albertkit.hardware.processor import capabilities
from albertkit.inference.predictor import Predictor
from albertkit.models.pretrained import fresh_model, save_model, with_task_head

PEER = "uvicorn + transformers"
AGREEMENT = {("albertkit", "fp32"): WITHIN, ("albertkit", "bf16"): 0.1, (PEER, "fp32"): 1e-4, (PEER, "bf16"): 0.1}
"""Largest difference of a probability from albertkit's offline one in fp32."""
Requests = list[dict[str, Any]]


def texts_of(data_dir: Path | None, *, quick: bool) -> dict[str, list[str]]:
    """Return the texts by case: short ones and long ones."""
    short, long = (64, 12) if quick else (256, 64)
    if data_dir is not None:
        sentences = load_dataset("glue/sst2", split="dev", data_dir=str(data_dir / "glue"))
        reviews = load_dataset("imdb", split="test", data_dir=str(data_dir / "aclImdb"))
        return {"sst2": _texts(sentences[:short]), "imdb": _texts(reviews[:long])}
    snippets = _texts(load_dataset("polarity", split="test"))
    joined = [" ".join(snippets[number * 6 : number * 6 + 6]) for number in range(long)]
    return {"snippets": snippets[:short], "snippets, six by six": joined}


def _texts(examples: Iterable[Any]) -> list[str]:
    return [example.text for example in examples]


@contextmanager
def served_model(options: argparse.Namespace) -> Iterator[str]:
    """Give the model that is served: the run, or a folder with random weights and two labels."""
    if options.run is not None:
        yield options.run
        return
    with tempfile.TemporaryDirectory(prefix="albertkit-benchmark-") as parent:
        folder = Path(parent) / "model"
        fresh = fresh_model(options.model)
        save_model(with_task_head(fresh, task="classification", labels=("no", "yes")), folder)
        yield str(folder)


def requests_of(predictor: Predictor, texts: Sequence[str]) -> Requests:
    """Return what is asked, with what the model says of it offline."""
    return [{**answer, "text": text} for text, answer in zip(texts, predictor.predict(texts), strict=True)]


def measure(options: argparse.Namespace) -> Report:
    """Return the report of what was asked for: next to the peers, a soak, or stops."""
    execution = choose_execution(device="cpu", precision="fp32", threads=options.threads)
    report: Report = {"name": "serving", "machine": machine(execution), "peaks": {}, "cases": []}
    with served_model(options) as model:
        predictor = Predictor.load(model, execution=execution)
        task: Any = predictor.model.task
        if task is None or task.name != "classification":
            raise UsageError(f"{model} is no classifier; give a run of albertkit finetune with labels")
        given = texts_of(options.data_dir, quick=options.quick)
        texts = {name: requests_of(predictor, found) for name, found in given.items()}
        every = [request for found in texts.values() for request in found]
        if options.soak is not None:
            return {**report, **soak(model, every, seconds=options.soak, options=options)}
        if options.sigterms is not None:
            return {**report, **sigterms(model, every, times=options.sigterms, options=options)}
        further = ["--max-length", str(predictor.model.max_length), "--temperature", str(task.temperature or 1.0)]
        return {**report, **beside_peers(model, texts, further, options)}


def contenders_of(model: str, further: list[str], threads: int) -> Iterator[tuple[tuple[str, str, str], list[str]]]:
    """Return (name, precision, mode) -> command."""
    precisions = ["fp32", *(["bf16"] if capabilities().bf16 else [])]
    folder = next(str(path) for path in (Path(model) / "model", Path(model)) if (path / "config.json").is_file())
    for precision in precisions:
        yield ("albertkit", precision, "serve"), albertkit_command(model, precision=precision, threads=threads)
    for precision in precisions:
        for mode in ("in turn", "in threads"):
            command = peer_command(folder, precision=precision, mode=mode, threads=threads, further=further)
            yield (PEER, precision, mode), command


def beside_peers(model: str, texts: dict[str, Requests], further: list[str], options: argparse.Namespace) -> Report:
    """Start all servers, ask them in turns, and return a row for each precision of ours next to each peer.

    Raises:
        AlbertkitError: an answer was wrong, or did not come.
    """
    cases: list[dict[str, Any]] = []
    details: dict[str, Any] = {}
    with ExitStack() as stack:
        parent = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="albertkit-benchmark-")))
        servers: dict[tuple[str, str, str], Server] = {}
        for key, command in contenders_of(model, further, options.threads):
            servers[key] = server = Server(command, parent / f"{len(servers)}.log")
            stack.callback(server.stop)
        for name, requests in texts.items():
            for connections in options.connections:
                found = in_rounds(servers, requests, connections, options)
                case = f"{name}, {connections} connection{'s' if connections > 1 else ''}"
                details[case] = {" ".join(key): _without_answers(rounds) for key, rounds in found.items()}
                cases += rows(case, found)
    return {"cases": cases, "details": details}


def in_rounds(
    servers: dict[tuple[str, str, str], Server], requests: Requests, connections: int, options: argparse.Namespace
) -> dict[tuple[str, str, str], list[Report]]:
    """Ask all servers, one after the other, round after round, after a short round that does not count."""
    found: dict[tuple[str, str, str], list[Report]] = {key: [] for key in servers}
    for number in range(1 + options.rounds):
        for key in list(servers)[:: -1 if number % 2 else 1]:
            seconds = options.seconds if number else min(2.0, options.seconds)
            report = ask(servers[key], requests, connections=connections, seconds=seconds)
            if set(report["statuses"]) != {"200"}:
                raise AlbertkitError(f"{' '.join(key)} answered {report['statuses']}: only 200 is right here")
            if not report["worst_difference"] < AGREEMENT[key[:2]]:
                raise AlbertkitError(
                    f"{' '.join(key)} differs from the offline prediction by {report['worst_difference']:g}"
                )
            if number:
                found[key].append(report)
    return found


def _without_answers(rounds: Sequence[Report]) -> list[Report]:
    return [{name: value for name, value in report.items() if name != "answers"} for report in rounds]


def rows(case: str, found: dict[tuple[str, str, str], list[Report]]) -> list[dict[str, Any]]:
    """Return the rows of a case; medians of the rounds."""

    def median(key: tuple[str, str, str], name: str) -> float:
        return float(statistics.median(report[name] for report in found[key]))

    made = []
    for ours in (key for key in found if key[0] == "albertkit"):
        for peer in (key for key in found if key[0] != "albertkit"):
            own, other = found[ours][-1]["answers"], found[peer][-1]["answers"]
            both = own.keys() & other.keys()
            difference = max((abs(own[n][label] - other[n][label]) for n in both for label in own[n]), default=None)
            seconds = {
                f"{side}_{name}_ms": round(1000 * median(key, name), 2)
                for side, key in (("ours", ours), ("peer", peer))
                for name in ("p50", "p99")
            }
            made.append(
                row(
                    case,
                    ours=median(ours, "answers_per_second"),
                    peer=median(peer, "answers_per_second"),
                    unit="requests/s",
                    peer_name=peer[0],
                    peer_mode=peer[2],
                    precision=ours[1],
                    peer_precision=peer[1],
                    max_difference=difference,
                    **seconds,
                )
            )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print JSON, return the exit code: 1 where a soak or a stop found a fault."""
    parser = options_of(__doc__, threads=2, quick="few texts, one round, albert-nano's shape: a first look")
    parser.add_argument("--run", metavar="MODEL", help="a classifier to serve; random weights without it")
    parser.add_argument("--model", metavar="NAME", help="shape of random weights (albert-base-v2, --quick albert-nano)")
    parser.add_argument("--connections", type=int, nargs="+", metavar="N", help="clients at once (1 16)")
    parser.add_argument("--seconds", type=float, metavar="S", help="of a round (10, --quick 2)")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="check every answer for so long, then overload")
    parser.add_argument("--overload", type=float, metavar="SECONDS", help="of the overload (a third of the soak)")
    parser.add_argument("--sigterms", type=int, metavar="N", help="start, ask, stop at a random moment, N times")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the random moments (%(default)s)")
    options = parsed(parser, arguments, positive=("sigterms",))
    for name in ("seconds", "soak", "overload"):
        value = getattr(options, name)
        if value is not None and not 0 < value < float("inf"):
            parser.error(f"--{name} is {value}; it must be above 0")
    options.model = options.model or ("albert-nano" if options.quick else "albert-base-v2")
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (2.0 if options.quick else 10.0)
    options.connections = options.connections or ([4] if options.quick else [1, 16])
    problems: list[str] = []

    def noting(given: argparse.Namespace) -> Report:
        report = measure(given)
        problems.extend(report.get("problems", ()))
        return report

    code = run_program(noting, options)
    for problem in problems:
        print(f"problem: {problem}", file=sys.stderr)
    return code or int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
