"""Routes: every POST /<route> of the service, those of the tasks and those that need no task."""

from __future__ import annotations

from albertkit.registry import resolve
from albertkit.serving import messages as m
from albertkit.tasks import TASKS
from albertkit.tasks.route import Route, TwoTextsBody


def routes() -> tuple[Route, ...]:
    """Return every route: several tasks may have the same."""
    places = dict.fromkeys(TASKS[name].route for name in TASKS)
    return (*(resolve(place) for place in places if place), *OF_ENCODERS)


OF_ENCODERS = (
    Route(
        "explain",
        "Word scores that explain a prediction",
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
        "fill",
        "Most probable pieces for each [MASK]",
        m.FillBody,
        m.Filled,
        {"text": "A [MASK] of tea.", "top": 1},
        {"masks": [{"position": 2, "candidates": [{"piece": "\u2581cup", "probability": 0.6}]}], "cut_tokens": 0},
    ),
    Route(
        "order",
        "Probability that the second text follows the first",
        TwoTextsBody,
        m.Ordered,
        {"text": "She opened the door.", "pair": "Nobody was there."},
        {"probability_in_order": 0.8, "cut_tokens": 0},
    ),
    Route(
        "embed",
        "One vector per text",
        m.EmbedBody,
        m.Embedded,
        {"text": ["Oil prices rose.", "Crude became dearer."]},
        {"vector": [0.25, -0.5], "cut_tokens": 0},
    ),
    Route(
        "tokenize",
        "Pieces, ids and offsets of a text",
        m.TokenizeBody,
        m.Tokens,
        {"text": "Oil prices"},
        {"ids": [1152, 4013], "pieces": ["\u2581oil", "\u2581prices"], "offsets": [[0, 3], [4, 10]]},
    ),
)
"""What models can do without a task, and the explanations of a classifier."""
