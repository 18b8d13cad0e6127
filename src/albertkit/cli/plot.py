"""`albertkit plot`: the curves of several runs in one picture."""

from __future__ import annotations

import click

from albertkit.cli.help import Command


@click.command("plot", cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path())
@click.option("--out", "--output", "out", required=True, metavar="F.png", type=click.Path(), help="PNG file to write.")
@click.option("--json", "as_json", is_flag=True, help="Print only JSON on standard output.")
def command(runs: tuple[str, ...], *, out: str, as_json: bool) -> None:
    """Plot the learning curves of several runs in one picture.

    Each RUN is a run directory with a report.json. The curves are the runs' main metric (accuracy, F1, ...) by epoch:
    solid lines are validation, dashed ones training; the legend holds the names of the runs. Pretraining runs, also
    those that are still training, show loss and accuracy of masked pieces and sentence order by tokens, distillations
    how near their vectors are to the teacher's.

    \b
    Example:
      $ albertkit plot runs/frozen runs/finetuned --out curves.png
      curves.png: frozen, finetuned
    """
    import json

    from albertkit.evaluation.plots import plot_runs
    from albertkit.evaluation.pretraining_plots import panels_of, plot_pretraining, read_curves
    from albertkit.evaluation.runs import read_runs, run_names

    kinds = [panels_of(run) for run in runs]
    shared = [panel for panel in kinds[0] or () if all(panel in (kind or ()) for kind in kinds)]
    if shared:
        names = run_names(runs)
        plot_pretraining(
            {name: read_curves(run, shared) for name, run in zip(names, runs, strict=True)}, shared, path=out
        )
    else:
        reports = read_runs(runs)
        names = list(reports)
        plot_runs(reports, path=out)
    if as_json:
        click.echo(json.dumps({"files": [out], "runs": names}, ensure_ascii=False))
    else:
        click.echo(f"{out}: {', '.join(names)}")
