"""What goes in and comes out: the bodies of requests and answers, as OpenAPI describes them."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Texts = Annotated[
    list[str],
    BeforeValidator(_several),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
"""A text or a list of texts: the answer has one result each, in their order."""


class Body(BaseModel):
    """A request: unknown fields are refused, and a number is not taken for a text."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TextBody(Body):
    """One text or several."""

    text: Texts = Field(description="A text, or a list of texts.", examples=["Oil prices rose again on Friday."])


class PairBody(TextBody):
    """Texts, each with a second one where the model is for pairs."""

    pair: Texts | None = Field(
        None, description="The second text of each text, for a model of pairs: as many as there are texts."
    )


class TwoTextsBody(TextBody):
    """Two texts, or as many first as second ones."""

    pair: Texts = Field(
        description="The second text of each text: as many as there are texts.", examples=["Crude became dearer."]
    )


class ExplainBody(PairBody):
    """Texts whose label is explained."""

    label: str | None = Field(None, description="Explain this label instead of each text's most probable one.")


class AnswerBody(Body):
    """Questions about one passage."""

    question: Texts = Field(description="A question, or a list of them.", examples=["Who wrote the letter?"])
    context: str = Field(description="The passage.", examples=["Ada wrote the letter in May."])


class ChooseBody(Body):
    """A question about a passage, with its options."""

    context: str = Field(description="The passage.", examples=["Ada wrote the letter in May."])
    question: str = Field(description='The question; "_" in it is where the option goes.', examples=["Ada wrote in _."])
    options: list[str] = Field(min_length=2, description="The options.", examples=[["May", "June"]])


class FillBody(Body):
    """Texts with masks."""

    text: Texts = Field(
        description="A text that holds [MASK] once or more, or a list of such.", examples=["A [MASK] of tea."]
    )
    top: int = Field(5, ge=1, le=100, description="How many candidates for each mask.")


class EmbedBody(TextBody):
    """Texts that become vectors."""

    pooling: Literal["mean", "cls", "pooler"] | None = Field(
        None, description="Mean of the last states, the first token's, or the pooler's output; left out: the model's."
    )


class TokenizeBody(PairBody):
    """Texts that become tokens."""

    specials: bool = Field(False, description="Put [CLS] and [SEP] around each text.")


Result = TypeVar("Result")


class Answer(BaseModel, Generic[Result]):
    """What every route answers."""

    results: list[Result] = Field(description="One for each text (or question), in their order.")


class Cut(BaseModel):
    """Says what was not read."""

    cut_tokens: int = Field(description="Tokens at the text's end that the model did not read; 0: it read the whole.")


class Classified(Cut):
    """One of three forms: a label, several labels, or a value."""

    label: str | None = Field(None, description="The most probable label.")
    labels: list[str] | None = Field(None, description="Of a model with several labels a text: those it has.")
    probabilities: dict[str, float] | None = Field(None, description="Label to probability, in [0, 1].")
    value: float | None = Field(None, description="Of a regression: the number.")


class Candidate(BaseModel):
    """Words of the passage; "" says that it holds no answer."""

    answer: str = Field(description="Characters of the passage.")
    start: int = Field(description="The first one's place in the passage.")
    end: int = Field(description="The place after the last one.")
    probability: float


class Answered(Candidate):
    """The words of the passage that answer."""

    n_best: list[Candidate] = Field(description="Up to five, the likeliest first.")
    no_answer_odds: float = Field(description="How much more likely no answer is than the best one, a logarithm.")


class Entity(BaseModel):
    """A name."""

    type: str
    text: str
    start: int
    end: int
    probability: float


class Tagged(BaseModel):
    """Tags of the words, and the names that they make."""

    tags: list[str] = Field(description="One for each word.")
    words: list[tuple[int, int]] = Field(description="Start and end of each word, in characters of the text.")
    entities: list[Entity]


class Chosen(Cut):
    """The right option."""

    choice: int = Field(description="Its number, from 0.")
    option: str
    probabilities: list[float]


class Piece(BaseModel):
    """A piece of the vocabulary."""

    piece: str = Field(description="U+2581 marks the start of a word.")
    probability: float


class Mask(BaseModel):
    """Pieces for one mask."""

    position: int = Field(description="Its index among the tokens, [CLS] being 0.")
    candidates: list[Piece]


class Filled(Cut):
    """The masks of a text; each is filled independently."""

    masks: list[Mask]


class Embedded(Cut):
    """A vector."""

    vector: list[float]


class Compared(Cut):
    """How near two texts are."""

    similarity: float = Field(description="Cosine of their vectors, in [-1, 1].")


class Ordered(Cut):
    """Whether the second text follows the first."""

    probability_in_order: float


class Word(BaseModel):
    """A word and what it did."""

    text: str
    start: int
    end: int
    field: Literal["text", "pair"]
    score: float = Field(description="How much higher the output is with the word than without it.")


class Explained(BaseModel):
    """Which words moved the label."""

    label: str | None = Field(description="The label that is explained; null for a regression, whose value is.")
    method: str
    base: float = Field(description="The label's probability for the whole text, or the regression's value.")
    words: list[Word]
    unread: int = Field(description="Words at the text's end that the model did not read.")


class Tokens(BaseModel):
    """The tokens of a text."""

    ids: list[int]
    pieces: list[str]
    offsets: list[tuple[int, int]] = Field(description="Start and end of each, in characters of its own text.")


class Problem(BaseModel):
    """Why a request was refused."""

    status: int
    message: str = Field(description="One sentence: what was wrong, and what to do.")
    request_id: str


class Refused(BaseModel):
    """The body of every answer that is no success."""

    error: Problem


class Described(BaseModel):
    """What this server runs."""

    model: str
    task: str | None
    labels: list[str]
    can: list[str] = Field(description="The routes that this model can answer: POST /<route>.")
    max_length: int = Field(description="Tokens that it reads of a text at most.")
    device: str
    precision: str
    version: str = Field(description="Of albertkit.")
    limits: dict[str, float]


class State(BaseModel):
    """How the server is."""

    status: Literal["alive", "ready"]
