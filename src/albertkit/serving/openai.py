"""OpenAI's form of embeddings: POST /v1/embeddings and GET /v1/models."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from albertkit.serving.capabilities import Capabilities
from albertkit.serving.endpoints import Dialect, Endpoint, Told
from albertkit.serving.inputs import ForeignBody, Inputs, unit_vectors
from albertkit.serving.refusals import Refusal


class EmbeddingsBody(ForeignBody):
    """Inputs that become vectors."""

    input: Inputs = Field(description="Texts, or token ids of this model's own vocabulary.")
    model: str | None = Field(None, description="The name that GET /v1/models tells; left out: the model served.")
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="Numbers, or little-endian float32 in base64."
    )
    dimensions: int | None = Field(
        None, ge=1, description="A size that the model's vectors have or were trained to be cut to."
    )
    user: str | None = Field(None, description="Not used.")


class Embedding(BaseModel):
    """A vector of length 1."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """What was read."""

    prompt_tokens: int = Field(description="[CLS] and [SEP] among them.")
    total_tokens: int


class Embeddings(BaseModel):
    """The vectors of a request."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: Usage


class Listed(BaseModel):
    """A model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class Models(BaseModel):
    """The one model that is served."""

    object: Literal["list"]
    data: list[Listed]


class Problem(BaseModel):
    """Why a request was refused."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class Refused(BaseModel):
    """The body of a refusal."""

    error: Problem


_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


def _problem(status: int, message: str, request_id: str) -> tuple[int, Mapping[str, Any]]:
    del request_id  # the clients read it from the header X-Request-Id
    kind = "server_error" if status >= 500 else "invalid_request_error"
    kind = "rate_limit_error" if status == 429 else kind
    error = {"message": message, "type": kind, "param": None, "code": _CODES.get(status)}
    return 400 if status == 422 else status, {"error": error}


OPENAI = Dialect("openai", _problem, Refused)


def _ask(endpoint: Endpoint, body: EmbeddingsBody, capabilities: Capabilities) -> tuple[str, Mapping[str, Any]]:
    if body.model is not None and body.model != capabilities.name:
        raise Refusal(
            404,
            f'this server runs the model "{capabilities.name}" and no other; send that name as "model", or leave '
            '"model" out',
        )
    return endpoint.route, {"text": body.input, "dimensions": body.dimensions}


def _tell(body: EmbeddingsBody, told: Told) -> Any:
    vectors = unit_vectors(told.results)
    found: list[Any] = vectors.tolist()
    if body.encoding_format == "base64":
        found = [base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii") for vector in vectors]
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(found)],
        "model": told.capabilities.name,
        "usage": {"prompt_tokens": told.tokens, "total_tokens": told.tokens},
    }


def models(capabilities: Capabilities, *, loaded: int) -> dict[str, Any]:
    """Return what GET /v1/models answers.

    Args:
        capabilities: of the model.
        loaded: when it was loaded, in seconds since 1970.
    """
    one = {"id": capabilities.name, "object": "model", "created": loaded, "owned_by": "albertkit"}
    return {"object": "list", "data": [one]}


ENDPOINTS = (
    Endpoint(
        path="/v1/embeddings",
        name="openai_embeddings",
        summary="Vectors, as OpenAI's clients ask for them",
        body=EmbeddingsBody,
        answer=Embeddings,
        given={"input": ["Oil prices rose.", "Crude became dearer."]},
        found={
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.6, -0.8]}],
            "model": "polarity",
            "usage": {"prompt_tokens": 6, "total_tokens": 6},
        },
        route="embed",
        dialect=OPENAI,
        ask=_ask,
        tell=_tell,
        fields={"text": "input"},
        may_cut=lambda _: False,
    ),
)
