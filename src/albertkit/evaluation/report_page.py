"""A run's report as one HTML page: `report.html`, which loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from albertkit.evaluation import report_cells as cells
from albertkit.evaluation.drawing import svg
from albertkit.evaluation.plots import panel_figure, reliability_figure
from albertkit.evaluation.report import Report
from albertkit.io.html import Html, page, section, table, tag
from albertkit.scoring.metrics import metric_title

FILE_NAME = "report.html"
"""What the page is called in a run directory."""
MOST_LABELS = 30
"""Labels of the largest confusion matrix on a page."""
_STYLE = """
.headline { font-size: 2.2rem; line-height: 1.2; margin: .25rem 0; }
.matrix td { text-align: center; background: rgba(var(--mark), var(--a)); border: 1px solid var(--line); }
.right { font-weight: 600; }
details { margin: .75rem 0; }
@media (max-width: 40rem) {
  .mistakes thead { display: none; }
  .mistakes tr { display: block; border-bottom: 1px solid var(--line); padding: .5rem 0; }
  .mistakes th, .mistakes td { display: block; border: 0; padding: .1rem 0; }
  .mistakes th { color: var(--faint); font-size: .875rem; }
  .mistakes td:nth-child(3)::before { content: "expected: "; color: var(--faint); }
  .mistakes td:nth-child(4)::before { content: "predicted: "; color: var(--faint); }
  .mistakes td:nth-child(5)::before { content: "probability: "; color: var(--faint); }
}
"""


def report_page(report: Report, *, name: str, command: str | None, curves: bool = True) -> str:
    """Return the page of a fine-tuning run.

    Args:
        report: what came out.
        name: name of the run.
        command: what repeats the run; None where no command does.
        curves: whether to draw pictures, which takes half a second.
    """
    return page(
        name,
        tag("p", cells.title_of(report)),
        section("Result", *_result(report)),
        *_training(report, curves=curves),
        *_confusion(report),
        *_calibration(report, curves=curves),
        *_mistakes(report),
        *ending(report.notes, report.command, report.environment, command=command),
        style=_STYLE,
    )


def shown(content: cells.Table, label: str) -> Html:
    """Return a table of a report.

    Args:
        content: its cells.
        label: what a screen reader calls it.
    """
    return table(content.columns, content.rows, label=label, bold=content.bold, faint=content.faint)


def side_by_side(*pictures: Html) -> Html:
    """Return pictures next to each other where there is room, else one below the other."""
    return tag("div", *(tag("figure", each) for each in pictures), class_="figures")


def ending(
    notes: Sequence[str], settings: Mapping[str, Any], environment: Mapping[str, Any], *, command: str | None
) -> Iterator[Html]:
    """Yield what every run's page ends with: notes, the command that repeats the run, settings, environment."""
    if notes:
        yield section("Notes", tag("ul", *(tag("li", note) for note in notes)))
    given = [[key, _written(value)] for key, value in settings.items() if value is not None]
    where = [[key, _written(value)] for key, value in environment.items()]
    yield section(
        "Repeat this run",
        *([] if command is None else [tag("pre", tag("code", command))]),
        tag(
            "details", tag("summary", "All settings"), table(["setting", "value"], given, label="settings", texts=True)
        ),
        tag("details", tag("summary", "Environment"), table(["", "value"], where, label="environment", texts=True)),
    )


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_written(each)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_written, value)) or "none"
    return "yes" if value is True else "no" if value is False else str(value)


def _result(report: Report) -> Iterator[Html]:
    metric = report.main_metric
    value = None if metric is None else report.metrics[metric]
    if metric is not None and value is not None and not report.too_few_examples:
        yield tag("p", f"{value:.1f} ", tag("span", metric_title(metric), class_="faint"), class_="headline")
    if report.verdict is not None:
        yield tag("p", tag("strong", report.verdict.sentence))
        yield from (tag("p", line) for line in report.verdict.lines[1:])
    yield shown(cells.scores(report), f"Scores on {cells.scored_on(report)}")
    yield from (tag("p", sentence) for sentence in cells.sentences(report)[:1])
    if report.teacher is not None:
        yield tag("p", f"Model and teacher ({report.teacher.model})")
        yield shown(cells.student_and_teacher(report), "Model and teacher")


def _training(report: Report, *, curves: bool) -> Iterator[Html]:
    if report.few_shot is not None:
        yield section(
            "What was tried",
            tag("p", f"Cross-validation in {report.few_shot.folds} folds (* = chosen)"),
            shown(cells.candidates(report.few_shot), "Candidates"),
            tag("p", f"Chosen: {report.few_shot.why}."),
        )
    elif report.epochs:
        names = ("loss", report.main_metric or "accuracy")
        drawn = [
            svg(
                panel_figure(report.epochs, name=name, best_epoch=report.best_epoch),
                label=f"{metric_title(name) if name != 'loss' else name} of training and validation by epoch, "
                "as in the table of epochs",
            )
            for name in (names if curves else ())
        ]
        hidden = cells.hidden_epochs(report)
        yield section(
            "Training",
            *([side_by_side(*drawn)] if drawn else []),
            tag(
                "details",
                tag("summary", "Epochs (* = kept)"),
                shown(cells.epochs(report), "Epochs"),
                *([] if hidden is None else [tag("p", hidden, class_="faint")]),
            ),
        )


def _confusion(report: Report) -> Iterator[Html]:
    if report.confusion is None:
        return
    labels, matrix = report.confusion.labels, report.confusion.matrix
    if len(labels) > MOST_LABELS:
        yield section("Confusion matrix", tag("p", f"The matrix of {len(labels)} labels is in report.json."))
        return
    rows = [
        [label, *(_cell(count, sum(row), right=number == column) for column, count in enumerate(row))]
        for number, (label, row) in enumerate(zip(labels, matrix, strict=True))
    ]
    explained = "Rows: true labels. Columns: predicted labels. The colour is the share of the row."
    yield section(
        "Confusion matrix",
        tag("p", explained, class_="faint"),
        tag("div", table(["", *labels], rows, label="Confusion matrix"), class_="matrix"),
    )


def _cell(count: int, total: int, *, right: bool) -> Html:
    share = count / total if total else 0.0
    title = f"{share:.0%} of the true label" if total else None
    return tag("td", f"{count:,}", style=f"--a:{0.65 * share:.2f}", title=title, class_="right" if right else None)


def _calibration(report: Report, *, curves: bool) -> Iterator[Html]:
    if report.calibration is None or report.too_few_examples:
        return
    said = cells.sentences(report)[1:]
    figure = reliability_figure(report.calibration, before=report.calibration_before, size=(4.4, 5.0))
    drawn = [svg(figure, label="accuracy by confidence")] if curves else []
    yield section(
        "Calibration",
        tag("p", "How often the model is right, by how sure it is. On the diagonal, 90 % sure means right in 9 of 10."),
        *(tag("p", sentence) for sentence in said),
        *([side_by_side(*drawn)] if drawn else []),
    )


def _mistakes(report: Report) -> Iterator[Html]:
    if not report.mistakes:
        return
    sure = any(one.probability is not None for one in report.mistakes)
    rows = []
    for one in report.mistakes:
        text = tag("td", one.text, *([] if one.pair is None else [tag("p", one.pair, class_="faint")]))
        share = [] if not sure else ["" if one.probability is None else f"{one.probability:.0%}"]
        rows.append([one.example, text, one.expected, one.predicted, *share])
    columns = ["example", "text", "expected", "predicted", *(["probability"] if sure else [])]
    yield section(
        "Examples that went wrong",
        tag("p", f"The worst of {cells.scored_on(report)} first, at most 20.", class_="faint"),
        tag("div", table(columns, rows, label="Examples that went wrong", texts=True), class_="mistakes"),
    )
