"""Endpoint: a path with the form of its bodies and answers, and the route that does the work.

    body --ask--> fields of a route --Capabilities.prepare--> work --tell--> answer

albertkit's own endpoints pass the fields through. Those of other services (`openai`, `tei`) only translate, so that
limits, passes and results are the same for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import BaseModel

from albertkit.inference.running import Work
from albertkit.serving.capabilities import Capabilities, Results
from albertkit.serving.messages import Refused
from albertkit.serving.refusals import Problem, Refusal, own_problem


@dataclass(frozen=True)
class Dialect:
    """How the clients of one service read a refusal."""

    name: str
    problem: Problem
    refused: type[BaseModel]
    """The body that `problem` returns, for OpenAPI."""


OWN = Dialect("albertkit", own_problem, Refused)


@dataclass(frozen=True)
class Told:
    """What an endpoint makes its answer of."""

    results: Results
    """Of the route."""
    tokens: int
    """Tokens that the model read."""
    capabilities: Capabilities


def _given_route(endpoint: Endpoint, body: Any, capabilities: Capabilities) -> tuple[str, Mapping[str, Any]]:
    del capabilities
    return endpoint.route, body.model_dump()


def _all_results(body: Any, told: Told) -> Any:
    del body
    return {"results": told.results}


@dataclass(frozen=True)
class Endpoint:
    """One form of POST <path>."""

    path: str
    name: str
    """Unique: OpenAPI's operation, and the tag of this form where a path has several."""
    summary: str
    body: type[BaseModel]
    answer: Any
    """Its type, for OpenAPI."""
    given: Mapping[str, Any]
    """A body."""
    found: Any
    """Its answer."""
    route: str
    """What the model must be able to do."""
    dialect: Dialect = OWN
    ask: Callable[[Endpoint, Any, Capabilities], tuple[str, Mapping[str, Any]]] = _given_route
    """From a body to a route and its fields."""
    tell: Callable[[Any, Told], Any] = _all_results
    """From a body and the results to the answer."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Field of the route -> the same in the body, for sentences; those with equal names are left out."""
    mark: str | None = None
    """A field that only bodies of this form have, where the path has several forms."""
    may_cut: Callable[[Any], bool] = lambda _: True
    """Whether a body allows that the model reads only the beginning of a text."""
    to_cut: str = ""
    """The end of a sentence: what a client sends to allow it."""

    def work(self, body: Any, capabilities: Capabilities, *, most: float = math.inf) -> Work[Any] | None:
        """Return the work of a request; None if its texts have more than `most` characters.

        Args:
            body: of this form.
            capabilities: what the model can do.
            most: in characters.

        Raises:
            Refusal: the model cannot, or the request asks for too much.
            AlbertkitError: texts that cannot be read.
        """
        route, values = self.ask(self, body, capabilities)
        if capabilities.size(values, names=self.fields) > most:
            return None
        work = capabilities.prepare(route, values)
        if not self.may_cut(body):
            self._refuse_cut(work, capabilities)
        return work.then(partial(self._tell, body, work.tokens, capabilities))

    def _tell(self, body: Any, tokens: int, capabilities: Capabilities, results: Results) -> Any:
        return self.tell(body, Told(results, tokens, capabilities))

    def _refuse_cut(self, work: Work[Any], capabilities: Capabilities) -> None:
        longest = max((len(each) + each.truncated for each in work.sequences if each.truncated), default=None)
        if longest is not None:
            raise Refusal(
                422,
                f"an input has {longest:,} tokens and the model reads {capabilities.model.max_length:,}; shorten "
                f"it{self.to_cut}",
            )
