"""Request and response bodies, as OpenAPI describes them."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, Field

from albertkit.config import Pooling
from albertkit.tasks.route import Body, Cut, PairBody, TextBody, Texts


class ExplainBody(PairBody):
    """Texts whose label is explained."""

    label: str | None = Field(None, description="Explain this label instead of each text's most probable one.")


class FillBody(Body):
    """Texts with masks."""

    text: Texts = Field(
        description="A text with at least one [MASK], or a list of such texts.", examples=["A [MASK] of tea."]
    )
    top: int = Field(5, ge=1, le=100, description="Number of candidates per mask.")


class EmbedBody(TextBody):
    """Texts that become vectors."""

    pooling: Pooling | None = Field(
        None,
        description="mean of the last hidden states, the first token's state (cls), or the pooler's output; "
        "default: the model's own.",
    )
    dimensions: int | None = Field(
        None, ge=1, description="Cut the vectors to this size, one that the model was trained for."
    )


class TokenizeBody(PairBody):
    """Texts that become tokens."""

    specials: bool = Field(False, description="Add [CLS] and [SEP] to each text.")


Result = TypeVar("Result")


class Answer(BaseModel, Generic[Result]):
    """What every route answers."""

    results: list[Result] = Field(description="One result per text (or question), in order.")


class Piece(BaseModel):
    """A piece of the vocabulary."""

    piece: str = Field(description="U+2581 marks the start of a word.")
    probability: float


class Mask(BaseModel):
    """Pieces for one mask."""

    position: int = Field(description="Index of the mask among the tokens; [CLS] is 0.")
    candidates: list[Piece]


class Filled(Cut):
    """The masks of a text; each is filled independently."""

    masks: list[Mask]


class Embedded(Cut):
    """A vector."""

    vector: list[float]


class Ordered(Cut):
    """Whether the second text follows the first."""

    probability_in_order: float


class Word(BaseModel):
    """A word and what it did."""

    text: str
    start: int
    end: int
    field: Literal["text", "pair"]
    score: float = Field(description="How much the word raises the output (negative: lowers it).")


class Explained(BaseModel):
    """Which words moved the label."""

    label: str | None = Field(description="The explained label; null for a regression.")
    method: str
    base: float = Field(description="The label's probability for the whole text, or the regression's value.")
    words: list[Word]
    unread: int = Field(description="Number of words at the end of the text that the model did not read.")


class Tokens(BaseModel):
    """The tokens of a text."""

    ids: list[int]
    pieces: list[str]
    offsets: list[tuple[int, int]] = Field(description="Start and end of each piece, in characters of its text.")


class Problem(BaseModel):
    """Why a request was refused."""

    status: int
    message: str = Field(description="One sentence: what was wrong and what to do.")
    request_id: str


class Refused(BaseModel):
    """The body of every answer that is no success."""

    error: Problem


class Described(BaseModel):
    """What this server runs."""

    model: str
    task: str | None
    labels: list[str]
    can: list[str] = Field(description="Routes that this model supports: POST /<route>.")
    max_length: int = Field(description="Longest input in tokens.")
    takes_pairs: bool = Field(description="False for a classifier of single texts: it refuses a second text.")
    device: str
    precision: str
    version: str = Field(description="Of albertkit.")
    limits: dict[str, float]


class State(BaseModel):
    """How the server is."""

    status: Literal["alive", "ready"]
