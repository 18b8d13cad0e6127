"""A report on a terminal (rich); names and notes of users are printed as they are, never as markup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from albertkit.evaluation import report_cells as cells

if TYPE_CHECKING:
    from rich.console import Console

    from albertkit.evaluation.report import Report

_MOST_LABELS = 10


def render(report: Report, *, console: Console) -> None:
    """Print a report: scores next to baselines, epochs, confusion matrix (up to 10 labels), calibration, notes,
    verdict.

    Args:
        report: the report to print.
        console: the rich console to print to.
    """
    print_line(cells.title_of(report), console=console, style="bold")
    scored = cells.scored_on(report)
    print_table(cells.scores(report), f"Scores on {scored}", console=console)
    if report.teacher is not None:
        title = f"Model and teacher ({report.teacher.model})"
        print_table(cells.student_and_teacher(report), title, console=console)
    for sentence in cells.sentences(report):
        print_line(sentence, console=console)
    if report.few_shot is not None:
        title = f"Cross-validation in {report.few_shot.folds} folds (* = chosen)"
        print_table(cells.candidates(report.few_shot), title, console=console)
        print_line(f"Chosen: {report.few_shot.why}.", console=console)
    elif report.epochs:
        print_table(cells.epochs(report), "Epochs (* = kept)", console=console)
        if (hidden := cells.hidden_epochs(report)) is not None:
            print_line(hidden, console=console, style="dim")
    if report.confusion is not None:
        count = len(report.confusion.labels)
        if count <= _MOST_LABELS:
            title = f"Confusion matrix on {scored} (rows: true labels, columns: predicted labels)"
            print_table(cells.confusion(report), title, console=console)
        else:
            print_line(f"The confusion matrix of {count} labels is in report.json.", console=console, style="dim")
    for note in report.notes:
        print_line(f"Note: {note}", console=console)
    for line in report.verdict.lines if report.verdict is not None else ():
        print_line(line, console=console, style="bold")


def print_line(text: str, *, console: Console, style: str = "") -> None:
    """Print one line as it is."""
    console.print(text, style=style, markup=False, highlight=False)


def print_table(table: cells.Table, title: str, *, console: Console) -> None:
    """Print a table below its title; a narrow terminal breaks names and cuts none."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    print_line(title, console=console)
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(table.columns):
        made.add_column(Text(column), justify="right" if number else "left", overflow="fold")
    for number, row in enumerate(table.rows):
        style = "bold" if number in table.bold else "dim" if number in table.faint else ""
        made.add_row(*(Text(cell) for cell in row), style=style)
    console.print(made)
