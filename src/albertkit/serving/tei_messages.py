"""Bodies and answers of text-embeddings-inference's form; what is done with them is in `tei.py`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from albertkit.serving.inputs import ForeignBody, Inputs


class Cutting(ForeignBody):
    """What most bodies share."""

    truncate: bool | None = Field(None, description="Cut an input that is too long; otherwise it is refused.")
    truncation_direction: Literal["Right", "right"] = Field("Right", description="The end is cut.")


class EmbedBody(Cutting):
    """Inputs that become vectors."""

    inputs: Inputs = Field(description="Texts, or token ids of this model's own vocabulary.")
    normalize: bool = Field(True, description="Give the vectors length 1.")
    dimensions: int | None = Field(
        None, ge=1, description="A size that the model's vectors have or were trained to be cut to."
    )
    prompt_name: None = Field(None, description="Models of albertkit have no prompts.")
    encoding_format: Literal["float"] = "float"


def is_single(value: Any) -> bool:
    """Return whether the inputs are one text, or one pair as a list of two."""
    return isinstance(value, str) or (isinstance(value, list) and bool(value) and isinstance(value[0], str))


def rows_of(value: Any) -> Any:
    """Return texts and pairs as a list of lists."""
    return [[value] if isinstance(value, str) else value] if is_single(value) else value


def _pairs(value: Any) -> Any:
    rows = rows_of(value)
    if not isinstance(rows, list) or not all(
        isinstance(row, list) and len(row) in (1, 2) and all(isinstance(text, str) for text in row) for row in rows
    ):
        raise PydanticCustomError(
            "inputs", "it must be a text, a pair [text, text], or a list of lists of one or two texts"
        )
    if not rows:
        raise PydanticCustomError("inputs", "it is an empty list; send one text or more")
    if len({len(row) for row in rows}) > 1:
        raise PydanticCustomError("inputs", "it mixes texts and pairs; send them in two requests")
    return value


_PAIR: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2}
Pairs = Annotated[
    Any,
    BeforeValidator(_pairs),
    WithJsonSchema({"anyOf": [{"type": "string"}, _PAIR, {"type": "array", "items": _PAIR, "minItems": 1}]}),
]


class PipelineParameters(ForeignBody):
    """How `InferenceClient.text_classification` asks; its answer is a list for each text."""

    top_k: int | None = Field(None, ge=1, description="Labels of each text at most.")
    function_to_apply: Literal["softmax", "sigmoid", "none"] | None = Field(
        None, description='"none" is for regressions. The model\'s task decides between softmax and sigmoid.'
    )


class PredictBody(Cutting):
    """Texts or pairs that are classified."""

    inputs: Pairs = Field(description="A text, a pair, or a list of lists of one or two texts.")
    raw_scores: bool = Field(False, description="Of a regression: must be true, since its value is no probability.")
    parameters: PipelineParameters | None = None

    @property
    def raw(self) -> bool:
        """Whether the client expects numbers that are no probabilities."""
        return self.raw_scores or (self.parameters is not None and self.parameters.function_to_apply == "none")


class Scored(BaseModel):
    """A label and its probability."""

    label: str
    score: float


def _texts(value: Any) -> Any:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise PydanticCustomError("inputs", "it must be a list of texts")
    if not value:
        raise PydanticCustomError("inputs", "it is an empty list; send one text or more")
    return value


TextList = Annotated[
    list[str],
    BeforeValidator(_texts),
    WithJsonSchema({"type": "array", "items": {"type": "string"}, "minItems": 1}),
]


class RerankBody(Cutting):
    """A query, and texts to sort by it."""

    query: str
    texts: TextList
    raw_scores: bool = Field(False, description="Of a regression: its value instead of the value's sigmoid.")
    return_text: bool = False


class Rank(BaseModel):
    """A text's place."""

    index: int
    text: str | None = None
    score: float


class Similar(ForeignBody):
    """A sentence and others."""

    source_sentence: str
    sentences: TextList


class SimilarityParameters(Cutting):
    """Options of the inputs."""

    prompt_name: None = Field(None, description="Models of albertkit have no prompts.")


class SimilarityBody(ForeignBody):
    """A sentence that is compared with others."""

    inputs: Similar
    parameters: SimilarityParameters | None = None


class TokenizeBody(ForeignBody):
    """Texts that become tokens."""

    inputs: Annotated[TextList, BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]
    add_special_tokens: bool = True
    prompt_name: None = Field(None, description="Models of albertkit have no prompts.")


class Token(BaseModel):
    """A token."""

    id: int
    text: str
    special: bool
    start: int | None
    stop: int | None


class Refused(BaseModel):
    """The body of a refusal."""

    error: str
    error_type: str


class Info(BaseModel):
    """What GET /info answers."""

    model_id: str
    model_sha: str | None
    model_dtype: str
    served_model_name: str
    model_type: dict[str, Any]
    max_concurrent_requests: int
    max_input_length: int
    max_batch_tokens: int
    max_batch_requests: int | None
    max_client_batch_size: int
    auto_truncate: bool
    tokenization_workers: int
    version: str
    sha: str | None
    docker_label: str | None
