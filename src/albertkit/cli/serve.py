"""`albertkit serve`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from albertkit.cli.help import Command
from albertkit.cli.options import execution_options, json_option, print_json

KEY_VARIABLE = "ALBERTKIT_API_KEY"


@click.command(cls=Command, epilog="Example: albertkit serve runs/polarity --port 8000")
@click.argument("run")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all interfaces."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option(
    "--api-key-file",
    type=click.Path(),
    show_default=f"${KEY_VARIABLE}",
    help="File with one API key per line; clients must send one of them.",
)
@click.option(
    "--allowed-host",
    "allowed",
    multiple=True,
    metavar="NAME",
    help="Host name to accept in the Host header, besides localhost and --host; repeatable. Others get 421.",
    show_default="any, if there is an API key or --host is not a loopback address",
)
@click.option(
    "--cors-origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    show_default="none",
    help="Origin of a web page, such as https://app.example, whose scripts may send requests (CORS); repeatable; * for "
    "any.",
)
@click.option("--batch-tokens", type=int, default=4096, show_default=True, help="Maximum tokens per forward pass.")
@click.option(
    "--batch-wait",
    type=float,
    default=2,
    show_default=True,
    help="Milliseconds to wait for more requests before a forward pass.",
)
@click.option(
    "--queue", type=int, default=128, show_default=True, help="Maximum number of requests in progress; more get 429."
)
@click.option(
    "--deadline", type=float, default=30, show_default=True, help="Seconds until an unanswered request gets 504."
)
@click.option("--max-body", type=int, default=1_000_000, show_default=True, help="Maximum request body in bytes.")
@click.option("--max-texts", type=int, default=64, show_default=True, help="Maximum texts per request.")
@click.option("--max-characters", type=int, default=100_000, show_default=True, help="Maximum characters per text.")
@click.option("--max-tokens", type=int, default=65_536, show_default=True, help="Maximum tokens per request.")
@execution_options
@json_option
def command(
    run: str,
    host: str,
    port: int,
    api_key_file: str | None,
    allowed: tuple[str, ...],
    origins: tuple[str, ...],
    batch_tokens: int,
    batch_wait: float,
    queue: int,
    deadline: float,
    max_body: int,
    max_texts: int,
    max_characters: int,
    max_tokens: int,
    device: str,
    precision: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Serve a model over HTTP, with a web page to try it.

    The page is at /, the paths are in /openapi.json. Logs are JSON lines on standard error and hold no texts. SIGTERM
    answers what was accepted and refuses the rest. On a processor in fp32 unless --precision says otherwise: in bf16
    an answer could depend on the requests that share its pass.
    """
    from albertkit.errors import MissingExtraError

    try:
        from albertkit.serving.server import bind, serve
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in ("fastapi", "uvicorn", "prometheus_client", "h11", "starlette", "pydantic"):
            raise
        raise MissingExtraError(library, extra="serve", purpose="albertkit serve") from error
    from albertkit.hardware.device import choose_execution
    from albertkit.inference.predictor import Predictor
    from albertkit.serving.hosts import allowed_hosts, is_loopback
    from albertkit.serving.limits import Limits
    from albertkit.serving.logs import write_logs_to
    from albertkit.serving.service import Service

    limits = Limits(
        batch_tokens=batch_tokens,
        batch_wait=batch_wait,
        queue=queue,
        deadline=deadline,
        max_body=max_body,
        max_texts=max_texts,
        max_characters=max_characters,
        max_tokens=max_tokens,
    )
    keys = _keys(api_key_file)
    execution = choose_execution(device=device, precision=precision, threads=threads)
    if precision == "auto" and execution.device == "cpu":
        execution = choose_execution(device=device, precision="fp32", threads=threads)
    write_logs_to(sys.stderr)
    listening = bind(host, port)
    port = listening.getsockname()[1]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if not keys and not is_loopback(host):
        click.echo(
            f"warning: {url} is reachable from other machines without an API key: set {KEY_VARIABLE} or pass "
            "--api-key-file",
            err=True,
        )

    def ready(service: Service) -> None:
        found = service.describe()
        if as_json:
            print_json({"url": url, "host": host, "port": port, "model": found["model"], "can": found["can"]})
        else:
            click.echo(f"{found['model']} is served at {url} (routes: {', '.join(found['can'])}); press Ctrl+C to stop")

    hosts = allowed_hosts(host, given=allowed, has_keys=bool(keys))
    serve(
        lambda: Predictor.load(run, execution=execution, fixed_weights=True),
        listening,
        limits=limits,
        keys=keys,
        hosts=hosts,
        origins=origins,
        ready=ready,
    )


def _keys(path: str | None) -> list[str]:
    from albertkit.errors import UsageError

    given = os.environ.get(KEY_VARIABLE)
    # An empty variable is a mistake of who set it, and would leave the server open; so is an empty file.
    if given is not None and not given.strip():
        raise UsageError(f"{KEY_VARIABLE} is empty: set it to a key, or unset it")
    keys = [] if given is None else [given.strip()]
    if path is None:
        return keys
    try:
        found = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a key file ({error})") from error
    if not found:
        raise UsageError(f"{path}: holds no key; write one key per line")
    return [*keys, *found]
