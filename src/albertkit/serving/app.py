"""App: the routes, the response and status of each, and the page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from albertkit import __version__
from albertkit.serving.admission import VISIT, Admission, Observer
from albertkit.serving.messages import Answer, Described, Refused, State
from albertkit.serving.metrics import CONTENT_TYPE
from albertkit.serving.refusals import Refusal, refusal_body
from albertkit.serving.routes import routes as all_routes
from albertkit.serving.service import Service
from albertkit.tasks.route import Route

PAGE = {"/": "index.html", "/page/app.js": "app.js", "/page/style.css": "style.css"}
_TYPES = {"html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_FREE = {*PAGE, "/health", "/ready", "/openapi.json"}
"""Paths that need no key: they tell nothing of the model, and the page asks for the key itself."""
_STATUSES: dict[int, str] = {
    400: "Invalid HTTP, or a body that is not UTF-8",
    401: "An API key is required",
    408: "The body did not arrive in time",
    409: "The loaded model does not support this route; the message names the supported ones",
    413: "The body is too large",
    415: "The body is compressed",
    421: "The Host header names a host that this server does not serve",
    422: "The body does not match the schema or exceeds a limit; the message says which",
    429: "The server is busy; retry after the time in Retry-After",
    500: "Internal server error",
    503: "The model is loading, the server is shutting down, or it has too many connections",
    504: "The request took longer than the deadline",
}


def make_app(
    service: Service,
    *,
    keys: Sequence[str] = (),
    hosts: Sequence[str] = (),
    started: Callable[[], Awaitable[None]] | None = None,
) -> FastAPI:
    """Return the application.

    Args:
        service: not started yet: the application's own start loads the model, in the background.
        keys: of which a client must show one; empty for no such need.
        hosts: names that a request may use, see `albertkit.serving.hosts`; empty for any.
        started: called when the model is loaded, or could not be.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app

        async def start() -> None:
            await service.start()
            if started is not None:
                await started()

        loading = asyncio.ensure_future(start())
        yield
        await asyncio.gather(loading, return_exceptions=True)
        await service.stop()

    app = FastAPI(
        title="albertkit",
        version=__version__,
        description="An albertkit model over HTTP. GET /model lists the routes that the model supports.",
        lifespan=lifespan,
        docs_url=None,  # they load scripts from another host
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={
            Refusal: _refused,
            RequestValidationError: _invalid,
            HTTPException: _no_such_path,
        },
    )
    secured: list[Any] = []
    if keys:  # for OpenAPI; `Admission` checks them
        secured = [Security(HTTPBearer(auto_error=False)), Security(APIKeyHeader(name="X-API-Key", auto_error=False))]
    for route in all_routes():
        app.add_api_route(
            f"/{route.name}",
            _endpoint(route, service),
            methods=["POST"],
            summary=route.summary,
            operation_id=route.name,
            response_model=Answer[route.result],  # type: ignore[name-defined]  # a type known at run time
            responses=_responses(200, *_STATUSES, keys=bool(keys), example={"results": [route.found]}),
            openapi_extra={"requestBody": {"content": {"application/json": {"example": route.given}}}},
            dependencies=secured,
        )
    _add_plain_paths(app, service, secured)
    for path, name in PAGE.items():
        app.add_route(path, _page(name), methods=["GET"], include_in_schema=False)
    routes = [f"/{route.name}" for route in all_routes()]
    known = {*routes, *_FREE, "/model", "/metrics"}
    app.add_middleware(Admission, service=service, keys=keys, hosts=hosts, free=_FREE, routes=routes)
    app.add_middleware(Observer, service=service, paths=known)
    return app


def _endpoint(route: Route, service: Service) -> Callable[..., Awaitable[Response]]:
    async def endpoint(body: BaseModel, request: Request) -> Response:
        answer = await service.answer(route.name, body.model_dump(), request.scope[VISIT])
        return Response(answer, media_type="application/json")

    # FastAPI reads the types from here; as text they would be looked up among this module's names.
    endpoint.__annotations__ = {"body": route.body, "request": Request, "return": Response}
    endpoint.__doc__ = route.body.__doc__
    return endpoint


def _add_plain_paths(app: FastAPI, service: Service, secured: Sequence[Any]) -> None:
    @app.get(
        "/health", summary="Whether the process is alive", response_model=State, responses=_responses(400, 421, 503)
    )
    async def health() -> Response:
        return JSONResponse({"status": "alive"})

    @app.get(
        "/ready",
        summary="Whether the server accepts requests",
        response_model=State,
        responses=_responses(400, 421, 503),
    )
    async def ready() -> Response:
        service.check_ready()
        return JSONResponse({"status": "ready"})

    @app.get(
        "/model",
        summary="The served model and its routes",
        response_model=Described,
        responses=_responses(400, 401, 421, 500, 503, keys=bool(secured)),
        dependencies=secured,
    )
    async def model() -> Response:
        return JSONResponse(service.describe())

    @app.get(
        "/metrics",
        summary="Counters for Prometheus",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
            **_responses(400, 401, 421, 500, 503, keys=bool(secured)),
        },
        dependencies=secured,
    )
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    # Load balancers ask with HEAD; the library answers it of the page's files by itself.
    for path, answer in (("/health", health), ("/ready", ready), ("/model", model), ("/metrics", metrics)):
        app.head(path, include_in_schema=False)(answer)


def _responses(*statuses: int, keys: bool = False, example: Any = None) -> dict[int | str, dict[str, Any]]:
    found: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        if status == 401 and not keys:
            continue
        if status == 200:
            found[status] = {"content": {"application/json": {"example": example}}}
            continue
        told = {"error": {"status": status, "message": f"{_STATUSES[status]}.", "request_id": "job-7"}}
        entry: dict[str, Any] = {"model": Refused, "description": _STATUSES[status]}
        entry["content"] = {"application/json": {"example": told}}
        if status == 400:  # what is no HTTP is refused by the library that reads it, in plain text
            entry["content"]["text/plain"] = {"schema": {"type": "string"}}
        if status in (429, 503):
            entry["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
        found[status] = entry
    return found


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    content = (files("albertkit.serving") / "page" / name).read_bytes()
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache", "X-Frame-Options": "DENY"}

    async def page(request: Request) -> Response:
        del request
        return Response(content, media_type=_TYPES[name.rpartition(".")[2]], headers=headers)

    return page


def _problem(request: Request, status: int, message: str, headers: Any = None) -> Response:
    body = refusal_body(status, message, request_id=request.scope[VISIT].id)
    return Response(body, status, headers=headers, media_type="application/json")


async def _refused(request: Request, error: Any) -> Response:
    return _problem(request, error.status, error.message, error.headers)


async def _no_such_path(request: Request, error: Any) -> Response:
    sentences = {
        404: "no such path; GET /model lists this server's routes, GET /openapi.json describes them",
        405: "this path does not support this method; GET /openapi.json lists the methods",
        400: "the body cannot be read; send JSON in UTF-8",
    }
    return _problem(request, error.status_code, sentences.get(error.status_code, str(error.detail)), error.headers)


async def _invalid(request: Request, error: Any) -> Response:
    """Return one sentence on what is wrong with a body, without any of its texts."""
    first = error.errors()[0]
    place = [part for part in first["loc"] if part != "body"]
    if first["type"] == "json_invalid":
        sentence = (
            f"the body is not valid JSON (character {place[0] if place else 0}); send an object such as the example's"
        )
    elif not place:
        sentence = "the body must be a JSON object, with Content-Type: application/json"
    elif first["type"] == "missing":
        sentence = f'the field "{place[0]}" is missing'
    elif first["type"] == "extra_forbidden":
        fields = ", ".join(
            next(route.body for route in all_routes() if f"/{route.name}" == request.url.path).model_fields
        )
        sentence = f"the body has an unknown field; the fields are {fields}"
    elif first["type"] in ("list_type", "too_short") and place[0] in ("text", "pair", "question"):
        sentence = f'the field "{place[0]}" must be a text or a non-empty list of texts'
    else:
        where = "".join(f"[{part}]" if isinstance(part, int) else str(part) for part in place[:3])
        sentence = f'the field "{where}": {first["msg"][:1].lower()}{first["msg"][1:]}'
    return _problem(request, 422, f"{sentence}; GET /openapi.json shows the schema")
