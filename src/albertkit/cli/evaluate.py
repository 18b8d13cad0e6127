"""`albertkit evaluate`."""

from __future__ import annotations

from typing import Any

import click

from albertkit.cli.exits import exit_options
from albertkit.cli.help import Command
from albertkit.cli.options import data_options, execution_options, json_option, notes_on_stderr, print_json


@click.command(
    cls=Command,
    moved={"patience": "Model", "predictions": "Output"},
    epilog="Example: albertkit evaluate runs/polarity --data polarity --split test",
)
@click.argument("run")
@click.option(
    "--data", required=True,
    help="Known data set (such as polarity, glue/sst2), a .csv .tsv .jsonl .parquet .xlsx file, hf:ORG/NAME[/CONFIG] "
    "on the Hugging Face hub, or a folder in BEIR's layout (corpus.jsonl, queries.jsonl, qrels/test.tsv) to score "
    "search.",
)  # fmt: skip
@click.option("--split", show_default="test if labelled, else dev", help="Split to score.")
@click.option("--as-trained", is_flag=True, help="Score the rows of --data that the run held out (--test 0.2).")
@click.option("--limit", type=int, show_default="all", help="Use only the first N examples.")
@click.option(
    "--null-threshold", type=float,
    help="Questions: log odds above which the answer is \"no answer\".",
    show_default="tuned in training",
)  # fmt: skip
@click.option(
    "--predictions", type=click.Path(),
    help="Write the predictions for `albertkit score` and official scripts: a folder, or a file (.json for answers "
    "or choices, .conll for tags, .tsv for labels).",
    show_default="none",
)  # fmt: skip
@click.option(
    "--dimensions", type=click.IntRange(min=1), show_default="all",
    help="Search: cut the vectors to this size; the model must have been trained for it.",
)  # fmt: skip
@exit_options
@data_options
@execution_options
@json_option
def command(
    run: str,
    data: str,
    split: str | None,
    as_trained: bool,
    limit: int | None,
    null_threshold: float | None,
    predictions: str | None,
    dimensions: int | None,
    patience: int | None,
    entropy: float | None,
    tolerance: float | None,
    data_dir: str | None,
    text_column: str | None,
    pair_column: str | None,
    label_column: str | None,
    labels: tuple[str, ...] | None,
    encoding: str | None,
    skip_bad_rows: bool,
    device: str,
    precision: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Score a trained model with the data set's official metrics.

    A table is read by the columns that the run was trained on, where no others are given. A folder in BEIR's layout
    scores the vectors of any model: NDCG@10, MRR@10, precision and recall.
    """
    from dataclasses import asdict, replace
    from pathlib import Path

    from albertkit.cli.exits import layers_passed, leaving_early
    from albertkit.datasets.beir import is_collection, open_collection
    from albertkit.evaluation.evaluate import evaluate, scored_split
    from albertkit.evaluation.retrieval import evaluate_retrieval
    from albertkit.hardware.device import choose_execution
    from albertkit.inference.predictor import Predictor
    from albertkit.io.progress import Console, counted
    from albertkit.tasks.question_answering import with_null_threshold
    from albertkit.training.run_data import open_for_run
    from albertkit.training.splits import scored_part

    searches = is_collection(Path(data))
    kind = "data with labels"
    unfit: dict[str, Any] = {"--dimensions": dimensions}
    if searches:
        kind = "a folder in BEIR's layout"
        unfit = {
            "--predictions": predictions,
            "--as-trained": as_trained or None,
            "--null-threshold": null_threshold,
            "--exit-patience": patience,
            "--entropy": entropy,
            "--data-dir": data_dir,
            "--text-column": text_column,
            "--pair-column": pair_column,
            "--label-column": label_column,
            "--labels": labels,
            "--encoding": encoding,
        }
    for option, given in unfit.items():
        if given is not None:
            raise click.UsageError(f"{option} cannot be used with {kind}; leave it out")
    with notes_on_stderr():
        predictor = Predictor.load(run, execution=choose_execution(device=device, precision=precision, threads=threads))
    if searches:
        collection = open_collection(Path(data), split, skip_bad_rows=skip_bad_rows).take(limit)
        with Console().bar("embedding", total=len(collection.queries) + len(collection.corpus)) as advance:
            report = evaluate_retrieval(predictor, collection, dimensions=dimensions, progress=counted(advance))
        _show(report, {}, as_json=as_json)
        return
    if null_threshold is not None:
        predictor.model.task = with_null_threshold(predictor.model.task, null_threshold)
    predictor, rule = leaving_early(predictor, patience=patience, entropy=entropy, tolerance=tolerance)
    source = open_for_run(
        run,
        data,
        task=None if predictor.model.task is None else predictor.model.task.data_task,
        labels=predictor.labels,
        columns={"text_column": text_column, "pair_column": pair_column, "label_column": label_column},
        given_labels=labels,
        data_dir=data_dir,
        encoding=encoding,
        skip_bad_rows=skip_bad_rows,
    )
    if as_trained:
        if split is not None:
            raise click.UsageError("--as-trained already selects the scored rows; leave --split out")
        dataset = scored_part(run, source).take(limit)
    else:
        dataset = scored_split(source, split).take(limit)
    with Console().bar("scoring", total=len(dataset)) as advance:
        report = evaluate(predictor, dataset, predictions=predictions, progress=counted(advance))
    left: dict[str, Any] = {}
    if rule is not None:
        passed, layers = layers_passed(predictor)
        report = replace(report, notes=(*report.notes, f"{rule}: {passed:.2f} of {layers} layers on average"))
        left = {"early_exit": {**asdict(rule), "mean_layers": passed, "layers": layers}}
    _show(report, left, as_json=as_json)


def _show(report: Any, left: dict[str, Any], *, as_json: bool) -> None:
    from rich.console import Console

    from albertkit.evaluation.report_table import render

    if as_json:
        print_json({**report.to_dict(), **left})
    else:
        render(report, console=Console(highlight=False))
