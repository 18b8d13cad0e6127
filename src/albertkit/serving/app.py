"""App: the routes, the response and status of each, and the page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import reduce
from importlib.resources import files
from operator import or_
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import BaseModel, Discriminator, RootModel, Tag, create_model
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from albertkit import __version__
from albertkit.errors import did_you_mean
from albertkit.serving.admission import VISIT, Admission, Observer
from albertkit.serving.endpoints import OWN, Dialect, Endpoint
from albertkit.serving.messages import Described, State
from albertkit.serving.metrics import CONTENT_TYPE
from albertkit.serving.openai import OPENAI, Models, models
from albertkit.serving.paths import paths as all_paths
from albertkit.serving.refusals import Problem, Refusal, own_problem, refusal_body
from albertkit.serving.service import Service
from albertkit.serving.tei import TEI, info
from albertkit.serving.tei_messages import Info

PAGE = {"/": "index.html", "/page/app.js": "app.js", "/page/send.js": "server.js", "/page/style.css": "style.css"}
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
    origins: Sequence[str] = (),
    started: Callable[[], Awaitable[None]] | None = None,
) -> FastAPI:
    """Return the application.

    Args:
        service: not started yet: the application's own start loads the model, in the background.
        keys: of which a client must show one; empty for no such need.
        hosts: names that a request may use, see `albertkit.serving.hosts`; empty for any.
        origins: of web pages on other hosts that may send requests (CORS), or "*" for any; empty for none.
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
    paths = all_paths()
    for path, forms in paths.items():
        app.add_api_route(
            path,
            _endpoint(forms, service),
            methods=["POST"],
            summary=forms[0].summary,
            operation_id=forms[0].name,
            response_model=reduce(or_, (form.answer for form in forms)),
            responses=_responses(200, *_STATUSES, keys=bool(keys), forms=forms),
            openapi_extra={"requestBody": {"content": {"application/json": _examples("given", forms)}}},
            dependencies=secured,
        )
    _add_plain_paths(app, service, secured)
    for path, name in PAGE.items():
        app.add_route(path, _page(name), methods=["GET"], include_in_schema=False)
    known: dict[str, Problem] = dict.fromkeys([*_FREE, "/model", "/metrics"], own_problem)
    known |= {path: forms[0].dialect.problem for path, forms in paths.items()}
    known |= {"/v1/models": OPENAI.problem, "/info": TEI.problem}
    routes = {path: forms[0].route for path, forms in paths.items()}
    app.add_middleware(Admission, service=service, keys=keys, hosts=hosts, free=_FREE, routes=routes)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-Id"],
            expose_headers=["X-Request-Id", "Retry-After"],
        )
    app.add_middleware(Observer, service=service, paths=known)
    return app


def _endpoint(forms: Sequence[Endpoint], service: Service) -> Callable[..., Awaitable[Response]]:
    by_body = {form.body: form for form in forms}

    async def endpoint(body: Any, request: Request) -> Response:
        body = body.root if len(forms) > 1 else body
        form, visit = by_body[type(body)], request.scope[VISIT]
        visit.problem = form.dialect.problem
        return Response(await service.answer(form, body, visit), media_type="application/json")

    # FastAPI reads the types from here; as text they would be looked up among this module's names.
    endpoint.__annotations__ = {"body": _body(forms), "request": Request, "return": Response}
    endpoint.__doc__ = " Or: ".join(form.body.__doc__ or "" for form in forms)
    return endpoint


def _body(forms: Sequence[Endpoint]) -> type[BaseModel]:
    """Return the type of a path's bodies: of several forms, the one whose own field a body has, else the first."""
    if len(forms) == 1:
        return forms[0].body

    def tag(value: Any) -> str:
        marked = (form.name for form in forms if isinstance(value, dict) and form.mark in value)
        return next(marked, forms[0].name)

    bodies: Any = reduce(or_, (Annotated[form.body, Tag(form.name)] for form in forms))
    return create_model(f"Any{forms[0].body.__name__}", __base__=RootModel[Annotated[bodies, Discriminator(tag)]])


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

    @app.get(
        "/v1/models",
        summary="The model, as OpenAI's clients ask for it",
        response_model=Models,
        responses=_responses(400, 401, 421, 500, 503, keys=bool(secured), dialect=OPENAI),
        dependencies=secured,
    )
    async def v1_models() -> Response:
        return JSONResponse(models(service.capabilities, loaded=service.loaded))

    @app.get(
        "/info",
        summary="The model, as TEI's clients ask for it",
        response_model=Info,
        responses=_responses(400, 401, 421, 500, 503, keys=bool(secured), dialect=TEI),
        dependencies=secured,
    )
    async def tei_info() -> Response:
        return JSONResponse(info(service.capabilities, service.limits))

    # Load balancers ask with HEAD; the library answers it of the page's files by itself.
    for path, answer in (("/health", health), ("/ready", ready), ("/model", model), ("/metrics", metrics)):
        app.head(path, include_in_schema=False)(answer)


def _examples(kind: Literal["given", "found"], forms: Sequence[Endpoint]) -> dict[str, Any]:
    """Return OpenAPI's entry of one example, or of one for each form."""
    if len(forms) == 1:
        return {"example": getattr(forms[0], kind)}
    return {"examples": {form.name: {"value": getattr(form, kind)} for form in forms}}


def _responses(
    *statuses: int, keys: bool = False, forms: Sequence[Endpoint] = (), dialect: Dialect = OWN
) -> dict[int | str, dict[str, Any]]:
    dialects = {form.dialect.name: form.dialect for form in forms} or {dialect.name: dialect}
    refused: Any = reduce(or_, (each.refused for each in dialects.values()))
    found: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        if status == 401 and not keys:
            continue
        if status == 200:
            found[status] = {"content": {"application/json": _examples("found", forms)}}
            continue
        first = next(iter(dialects.values()))
        _, told = first.problem(status, f"{_STATUSES[status]}.", "job-7")
        entry: dict[str, Any] = {"model": refused, "description": _STATUSES[status]}
        entry["content"] = {"application/json": {"example": told}}
        if status == 400:  # what is no HTTP is refused by the library that reads it, in plain text
            entry["content"]["text/plain"] = {"schema": {"type": "string"}}
        if status in (429, 503):
            entry["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
        found[status] = entry
    return found


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    content = (files("albertkit") / "assets" / "page" / name).read_bytes()
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache", "X-Frame-Options": "DENY"}

    async def page(request: Request) -> Response:
        del request
        return Response(content, media_type=_TYPES[name.rpartition(".")[2]], headers=headers)

    return page


def _problem(request: Request, status: int, message: str, headers: Any = None) -> Response:
    visit = request.scope[VISIT]
    status, problem = visit.problem(status, message, visit.id)
    return Response(refusal_body(problem), status, headers=headers, media_type="application/json")


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
    forms = {form.name: form for form in all_paths()[request.url.path]}
    form = next(iter(forms.values()))
    if len(forms) > 1 and place and place[0] in forms:
        form = forms[place.pop(0)]
        request.scope[VISIT].problem = form.dialect.problem
    if first["type"] == "json_invalid":
        sentence = (
            f"the body is not valid JSON (character {place[0] if place else 0}); send an object such as the example's"
        )
    elif not place:
        sentence = "the body must be a JSON object, with Content-Type: application/json"
    elif first["type"] == "missing":
        sentence = f'the field "{place[0]}" is missing'
    elif first["type"] == "extra_forbidden":
        fields = ", ".join(form.body.model_fields)
        unknown = str(place[-1])
        hint = did_you_mean(unknown, form.body.model_fields)
        sentence = f'the body has an unknown field "{unknown:.40}"{hint.rstrip("?")}; the fields are {fields}'
    elif first["type"] in ("list_type", "too_short") and place[0] in ("text", "pair", "question"):
        sentence = f'the field "{place[0]}" must be a text or a non-empty list of texts'
    else:
        where = "".join(f"[{part}]" if isinstance(part, int) else str(part) for part in place[:3])
        sentence = f'the field "{where}": {first["msg"][:1].lower()}{first["msg"][1:]}'
    return _problem(request, 422, f"{sentence}; GET /openapi.json shows the schema")
