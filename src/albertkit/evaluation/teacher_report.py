"""TeacherReport: what a student and the teacher that it learned from score and take; `teacher` in report.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What a model takes."""

    parameters: int | None
    """Numbers in the network; None of an exported model."""
    megabytes: float
    """Size of its files, in 10^6 bytes."""
    texts_per_second: float
    """Texts of the scored split from text to answer, on the same machine right after each other."""


@dataclass(frozen=True)
class TeacherReport:
    """The teacher's scores, and what both models take."""

    model: str
    """Name or path of the teacher."""
    metrics: Mapping[str, float | None]
    """Metric name -> the teacher's value on 0-100 on the scored split."""
    agreement: float | None
    """Percentage of the scored texts to which both give the same label (in multi-label: labels); None in regression."""
    cost: Cost
    """Of the teacher."""
    student: Cost
    """Of the student."""
    weight: float
    """Of the teacher's loss; the labels' loss had the rest."""
    temperature: float | None
    """That the probabilities were learned at; None in regression."""
    labelled: int
    """Training texts with a label."""
    unlabelled: int
    """Training texts without one."""
