"""Routes: what POST /<route> takes and answers, with an example of both for OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from albertkit.serving import messages as m


@dataclass(frozen=True)
class Route:
    """One path."""

    name: str
    summary: str
    body: type[BaseModel]
    result: type[BaseModel]
    """Of one text; the answer holds a list of them."""
    given: Mapping[str, Any]
    """A body."""
    found: Mapping[str, Any]
    """Its result."""


ROUTES = (
    Route(
        "classify",
        "Labels with probabilities",
        m.PairBody,
        m.Classified,
        {"text": "Oil prices rose again on Friday."},
        {"label": "Business", "probabilities": {"Business": 0.97, "World": 0.03}, "cut_tokens": 0},
    ),
    Route(
        "explain",
        "The words that moved a label",
        m.ExplainBody,
        m.Explained,
        {"text": "Oil prices rose."},
        {
            "label": "Business",
            "method": "occlusion",
            "base": 0.97,
            "words": [{"text": "Oil", "start": 0, "end": 3, "field": "text", "score": 0.31}],
            "unread": 0,
        },
    ),
    Route(
        "answer",
        "The words of a passage that answer a question",
        m.AnswerBody,
        m.Answered,
        {"question": "Who wrote the letter?", "context": "Ada wrote the letter in May."},
        {
            "answer": "Ada",
            "start": 0,
            "end": 3,
            "probability": 0.94,
            "n_best": [{"answer": "Ada", "start": 0, "end": 3, "probability": 0.94}],
            "no_answer_odds": -6.1,
        },
    ),
    Route(
        "tag",
        "Tags of words, and names",
        m.TextBody,
        m.Tagged,
        {"text": "Ada lives in Bath."},
        {
            "tags": ["B-PER", "O", "O", "B-LOC", "O"],
            "words": [[0, 3], [4, 9], [10, 12], [13, 17], [17, 18]],
            "entities": [
                {"type": "PER", "text": "Ada", "start": 0, "end": 3, "probability": 0.98},
                {"type": "LOC", "text": "Bath", "start": 13, "end": 17, "probability": 0.95},
            ],
        },
    ),
    Route(
        "choose",
        "Which of several options answers a question",
        m.ChooseBody,
        m.Chosen,
        {"context": "Ada wrote the letter in May.", "question": "Ada wrote in _.", "options": ["May", "June"]},
        {"choice": 0, "option": "May", "probabilities": [0.9, 0.1], "cut_tokens": 0},
    ),
    Route(
        "fill",
        "The best pieces for each [MASK]",
        m.FillBody,
        m.Filled,
        {"text": "A [MASK] of tea.", "top": 1},
        {"masks": [{"position": 2, "candidates": [{"piece": "\u2581cup", "probability": 0.6}]}], "cut_tokens": 0},
    ),
    Route(
        "order",
        "How likely the second text follows the first",
        m.TwoTextsBody,
        m.Ordered,
        {"text": "She opened the door.", "pair": "Nobody was there."},
        {"probability_in_order": 0.8, "cut_tokens": 0},
    ),
    Route(
        "embed",
        "One vector for each text",
        m.EmbedBody,
        m.Embedded,
        {"text": ["Oil prices rose.", "Crude became dearer."]},
        {"vector": [0.25, -0.5], "cut_tokens": 0},
    ),
    Route(
        "compare",
        "How near two texts are",
        m.TwoTextsBody,
        m.Compared,
        {"text": "Oil prices rose.", "pair": "Crude became dearer."},
        {"similarity": 0.83, "cut_tokens": 0},
    ),
    Route(
        "tokenize",
        "Pieces, ids and offsets",
        m.TokenizeBody,
        m.Tokens,
        {"text": "Oil prices"},
        {"ids": [1152, 4013], "pieces": ["\u2581oil", "\u2581prices"], "offsets": [[0, 3], [4, 10]]},
    ),
)
