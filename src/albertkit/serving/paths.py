"""Paths: every POST of the service, with the forms of body that each takes."""

from __future__ import annotations

from albertkit.serving import openai, tei
from albertkit.serving.endpoints import Endpoint
from albertkit.serving.messages import Answer
from albertkit.serving.routes import routes
from albertkit.tasks.route import Route


def paths() -> dict[str, tuple[Endpoint, ...]]:
    """Return path -> the forms of its bodies; albertkit's own form is the first."""
    found: dict[str, tuple[Endpoint, ...]] = {}
    for form in (*map(_own, routes()), *openai.ENDPOINTS, *tei.ENDPOINTS):
        found[form.path] = (*found.get(form.path, ()), form)
    return found


def _own(route: Route) -> Endpoint:
    return Endpoint(
        path=f"/{route.name}",
        name=route.name,
        summary=route.summary,
        body=route.body,
        answer=Answer[route.result],  # type: ignore[name-defined]  # a type known at run time
        given=route.given,
        found={"results": [route.found]},
        route=route.name,
    )
