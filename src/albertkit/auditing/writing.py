"""Write an audit: JSON, a page, and a table of suspects to relabel."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from albertkit.auditing.findings import Audit, Place
from albertkit.io.files import atomic_file, write_json, write_text
from albertkit.io.html import Html, page, section, table, tag

JSON, PAGE, SUSPECTS = "audit.json", "audit.html", "suspects.csv"
MOST_SHOWN = 100
"""Rows of a table of the page; the files hold all."""
_LONGEST = 300  # characters of a text on the page
_STYLE = """
td.advice { text-align: left; }
.texts td { overflow-wrap: normal; }
.texts td:last-child { overflow-wrap: anywhere; min-width: 16rem; }
.texts th:first-child { white-space: nowrap; }
"""


def write_audit(audit: Audit, folder: Path) -> tuple[str, ...]:
    """Write the three files into a folder, which is made where it is missing, and return their names.

    Raises:
        WriteError: the system refused.
    """
    write_json(folder / JSON, audit.to_dict())
    with atomic_file(folder / SUSPECTS) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(suspects(audit))
    write_text(folder / PAGE, audit_page(audit))
    return JSON, PAGE, SUSPECTS


def suspects(audit: Audit) -> Iterator[tuple[str, ...]]:
    """Yield the header and one row per label to look at: likely errors, then duplicates with different labels."""
    yield "split", "row", "text", "pair", "label", "suggested", "probability", "reason"
    for error in audit.label_errors:
        yield *_cells(error.place), error.suggested, f"{error.probability:.4f}", "label error"
    for group in audit.duplicates:
        if group.labels_differ:
            for place in group.places:
                yield *_cells(place), "", "", "duplicates with different labels"


def _cells(place: Place) -> tuple[str, str, str, str, str]:
    return place.split, str(place.row), place.text, place.pair or "", place.label or ""


def summary(audit: Audit) -> list[tuple[str, int, str]]:
    """Return (finding, count, what to do about it) of everything that was looked for."""
    differ = sum(group.labels_differ for group in audit.duplicates)
    return [
        ("likely label errors", len(audit.label_errors), f"check them in {SUSPECTS}, the likeliest first"),
        ("texts shared by splits", len(audit.leaks), "remove them from one of the splits"),
        ("groups of duplicates", len(audit.duplicates), f"{differ} of them with different labels"),
        ("outliers", len(audit.outliers), "read them: another language, markup, wrong column?"),
        ("empty texts", len(audit.empty), "remove them"),
        ("cut texts", len(audit.cut), "longer than the model reads: give a larger --max-length, or windows"),
    ]


def audit_page(audit: Audit) -> str:
    """Return the page: the summary, then a table of each finding."""
    rows = ", ".join(f"{split} {count:,}" for split, count in audit.rows.items())
    counts = [
        [name, f"{count:,}", tag("td", advice if count else "", class_="advice")]
        for name, count, advice in summary(audit)
    ]
    parts = [
        tag("p", f"{rows} rows; vectors by {audit.model}; {audit.seconds:.1f} s. Rows count from 0.", class_="faint"),
        *(tag("p", note, class_="faint") for note in audit.notes),
        section("Summary", table(["", "found", ""], counts, label="Summary")),
        section("Labels", *_balance(audit)),
        _findings(
            "Likely label errors",
            ["row", "label", "suggested", "probability of the label", "text"],
            [
                [_row(one.place), one.place.label or "", one.suggested, f"{one.probability:.3f}", _text(one.place)]
                for one in audit.label_errors
            ],
        ),
        _findings(
            "Texts shared by splits",
            ["row", "other row", "labels", "text"],
            [
                [_row(one.place), _row(one.other), _labels([one.place, one.other]), _text(one.place)]
                for one in audit.leaks
            ],
        ),
        _findings(
            "Duplicates",
            ["rows", "labels", "text"],
            [
                [", ".join(map(_row, one.places[:10])), _labels(one.places), _text(one.places[0])]
                for one in sorted(audit.duplicates, key=lambda one: not one.labels_differ)
            ],
        ),
        _findings(
            "Outliers",
            ["row", "similarity", "text"],
            [[_row(one.place), f"{one.similarity:.3f}", _text(one.place)] for one in audit.outliers],
        ),
        _findings("Empty texts", ["row", "text"], [[_row(one), repr(one.text)[:80]] for one in audit.empty]),
        _findings(
            "Cut texts",
            ["row", "tokens not read", "text"],
            [[_row(one.place), f"{one.unread:,}", _text(one.place)] for one in audit.cut],
        ),
    ]
    return page(f"Audit of {audit.data}", *parts, style=_STYLE)


def _balance(audit: Audit) -> list[Html]:
    names = list(dict.fromkeys(name for counts in audit.balance.values() for name in counts))[:MOST_SHOWN]
    splits = list(audit.balance)
    if audit.task == "regression" or not names:
        return [tag("p", "No labels to count.", class_="faint")]
    shown = [[name, *(f"{audit.balance[split].get(name, 0):,}" for split in splits)] for name in names]
    return [table(["label", *splits], shown, label="Rows per label")]


def _findings(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    if not rows:
        return section(title, tag("p", "None found.", class_="faint"))
    more = f"The first {MOST_SHOWN} of {len(rows):,}; {JSON} has all." if len(rows) > MOST_SHOWN else ""
    return section(title, table(columns, rows[:MOST_SHOWN], label=title, texts=True), tag("p", more, class_="faint"))


def _row(place: Place) -> str:
    return f"{place.split} {place.row}"


def _labels(places: Sequence[Place]) -> str:
    return " / ".join(dict.fromkeys(place.label or "?" for place in places))


def _text(place: Place) -> str:
    whole = place.text if place.pair is None else f"{place.text} | {place.pair}"
    return whole if len(whole) <= _LONGEST else f"{whole[:_LONGEST]} .."
