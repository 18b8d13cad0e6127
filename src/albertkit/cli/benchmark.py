"""`albertkit benchmark`: one of the timing programs of a source checkout, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from albertkit.cli.help import Command
from albertkit.cli.options import json_option
from albertkit.errors import AlbertkitError, UsageError, did_you_mean

PROGRAMS = {
    "curves": "curves.py",
    "endurance": "endurance.py",
    "finetune": "finetuning.py",
    "inference": "inference.py",
    "load": "load.py",
    "prepare": "preparing.py",
    "pretrain": "pretraining.py",
    "probe": "probing.py",
    "serving": "serving.py",
    "start": "starting.py",
    "tokenize": "tokenizing.py",
}
"""Name -> its file in `benchmarks/`."""

_READ_DATA = frozenset({"finetune", "inference", "prepare", "probe", "serving", "tokenize"})


@click.command(
    cls=Command,
    epilog="Example: albertkit benchmark finetune --quick",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]},
)
@click.argument("name", metavar="NAME")
@click.option("--data-dir", show_default="shipped film-review snippets", help="Folder with aclImdb/ and glue/.")
@click.option("--quick", is_flag=True, help="Fewer rounds on less data, for a first look.")
@json_option
@click.argument("further", metavar="[OPTIONS OF THE PROGRAM]", nargs=-1, type=click.UNPROCESSED)
def command(name: str, *, data_dir: str | None, quick: bool, as_json: bool, further: tuple[str, ...]) -> None:
    """Compare albertkit's speed with other libraries on this machine.

    \b
    NAME is one of
      inference  texts/s: transformers, OpenVINO
      finetune   tokens/s of training steps: transformers
      probe      100 epochs on a frozen encoder: the encoder run every epoch
      tokenize   which tokenizers give ALBERT's ids, and how fast
      prepare    KB/s from text to what a pretraining reads
      pretrain   tokens/s of pretraining steps: transformers
      load       seconds to load a model: transformers, plainly reading
      start      seconds from the shell to a label: transformers' pipeline
      curves     cost against length, texts and threads: transformers
      endurance  an hour of mixed work: does memory creep, does it get slower
      serving    requests/s of a served model: uvicorn + transformers

    The programs are in benchmarks/ of albertkit's source, not in the installed package; make setup installs the other
    libraries. Both sides of a ratio are measured in the same run: compare ratios, on a quiet machine.
    Further options go to the program (albertkit benchmark pretrain --rounds 3); benchmarks/README.md explains them.
    """
    import json
    import subprocess
    import sys

    program = program_file(name)
    arguments = [*(["--quick"] if quick else []), *further]
    if data_dir is not None and name in _READ_DATA:
        arguments += ["--data-dir", data_dir]
    # A process of its own: the programs set what libraries read when they start.
    done = subprocess.run([sys.executable, str(program), *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if as_json or (done.returncode != 0 and '"lines"' not in done.stdout):
        click.echo(done.stdout, nl=False)
        raise SystemExit(done.returncode)
    try:
        report = json.loads(done.stdout)
    except ValueError:  # its own --help
        click.echo(done.stdout, nl=False)
        return
    for line in lines_of(report):
        click.echo(line)
    if done.returncode != 0:  # its lines say what is wrong
        raise SystemExit(done.returncode)


def program_file(name: str, *, folder: Path | None = None) -> Path:
    """Return the program's file.

    Args:
        name: name of the program.
        folder: folder of the programs; `benchmarks/` next to `src/` by default.

    Raises:
        UsageError: there is no such program.
        AlbertkitError: this is no source checkout.
    """
    if name not in PROGRAMS:
        raise UsageError(f'there is no benchmark "{name}"{did_you_mean(name, PROGRAMS)} (known: {", ".join(PROGRAMS)})')
    programs = Path(__file__).resolve().parents[3] / "benchmarks" if folder is None else folder
    program = programs / PROGRAMS[name]
    if not program.is_file():
        raise AlbertkitError(
            "the benchmark programs are no part of the installed package: get albertkit's source, run make setup "
            "there, then this command again"
        )
    return program


def lines_of(report: dict[str, Any]) -> list[str]:
    """Return a report as lines: the machine, a line for each case, and the program's own `lines`."""
    machine = report["machine"]
    lines = [f"{machine['processor']}, {machine['threads']} of {machine['cores']} cores, load {machine['load_before']}"]
    for case in report["cases"]:
        precision = f", {case['precision']}" if case["precision"] else ""
        peer = ", ".join(str(case[key]) for key in ("peer_name", "peer_precision", "peer_mode") if case[key])
        lines.append(
            f"{case['case']}{precision}: {case['ours']:,.4g} {case['unit']}; {peer}: {case['peer']:,.4g}; "
            f"ratio {case['ratio']:.2f}"
        )
    return [*lines, *report.get("lines", ())]
