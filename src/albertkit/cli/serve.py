"""`albertkit serve`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from albertkit.cli.options import execution_options, json_option, print_json

KEY_VARIABLE = "ALBERTKIT_API_KEY"


@click.command(epilog="Example: albertkit serve runs/polarity --port 8000")
@click.argument("run")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is all of them.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option(
    "--api-key-file",
    type=click.Path(),
    help=f"A file with a key a line, of which clients must show one; or set {KEY_VARIABLE}.",
)
@click.option(
    "--allowed-host",
    "allowed",
    multiple=True,
    metavar="NAME",
    help="A name in requests' Host header, besides localhost and --host, that is answered; repeatable. Others get 421. "
    "Left out: any name, if there is a key or --host is no loopback address.",
)
@click.option(
    "--cors-origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="Origin of a web page, such as https://app.example, whose scripts may send requests (CORS); repeatable; * for "
    "any. Left out: none.",
)
@click.option("--batch-tokens", type=int, default=4096, show_default=True, help="Tokens of a forward pass at most.")
@click.option(
    "--batch-wait", type=float, default=2, show_default=True, help="Milliseconds that a pass waits to be filled."
)
@click.option("--queue", type=int, default=128, show_default=True, help="Requests accepted and not yet answered.")
@click.option("--deadline", type=float, default=30, show_default=True, help="Seconds in which a request is answered.")
@click.option("--max-body", type=int, default=1_000_000, show_default=True, help="Bytes of a request.")
@click.option("--max-texts", type=int, default=64, show_default=True, help="Texts of a request.")
@click.option("--max-characters", type=int, default=100_000, show_default=True, help="Characters of a text.")
@click.option("--max-tokens", type=int, default=65_536, show_default=True, help="Tokens that are read for a request.")
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
    """A model behind HTTP, with a page to try it.

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
            f"warning: {url} can be reached from other machines and asks for no key: set {KEY_VARIABLE} or give "
            "--api-key-file",
            err=True,
        )

    def ready(service: Service) -> None:
        found = service.describe()
        if as_json:
            print_json({"url": url, "host": host, "port": port, "model": found["model"], "can": found["can"]})
        else:
            click.echo(f"{found['model']} at {url} can {', '.join(found['can'])}; Ctrl+C stops")

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
        raise UsageError(f"{KEY_VARIABLE} is set and empty: give it a key, or unset it")
    keys = [] if given is None else [given.strip()]
    if path is None:
        return keys
    try:
        found = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a file of keys ({error})") from error
    if not found:
        raise UsageError(f"{path}: holds no key; write one a line")
    return [*keys, *found]
