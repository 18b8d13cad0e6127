"""The `albertkit` command: one file per subcommand, imported when it is called."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from contextlib import suppress
from typing import Any, NoReturn

import click

from albertkit.errors import AlbertkitError, did_you_mean
from albertkit.registry import Registry

COMMANDS: Registry[click.Command] = Registry(
    "command",
    group="albertkit.commands",
    table={
        name: f"albertkit.cli.{name.replace('-', '_')}:command"
        for name in (
            "benchmark",
            "convert",
            "distill",
            "download",
            "embed",
            "encode",
            "evaluate",
            "export",
            "fill",
            "finetune",
            "glue",
            "info",
            "models",
            "nearest",
            "order",
            "plot",
            "predict",
            "prepare",
            "pretrain",
            "score",
            "serve",
            "tokenize",
            "train-vocab",
        )
    },
)

# Said here too, so that the list of commands imports none of them; a test compares.
SUMMARIES = {
    "benchmark": "Time albertkit beside its peers on this machine.",
    "convert": "Any checkpoint format to any other.",
    "distill": "A small encoder whose vectors are a teacher's.",
    "download": "Fetch a known model or data set, after asking.",
    "embed": "One vector for each text of a file, of any size.",
    "encode": "Run a model on padded arrays of token ids.",
    "evaluate": "Score a trained model with the data set's metrics.",
    "export": "A trained model as ONNX or OpenVINO, to predict without torch.",
    "fill": "The best pieces for each [MASK] of a text.",
    "finetune": "Train a classifier, whole or on a frozen encoder.",
    "glue": "All tasks of GLUE, the table, and the server's zip.",
    "info": "A model's shape, parameters, and what sharing saves.",
    "models": "List the known models.",
    "nearest": "The texts of a file of vectors that are nearest to a text.",
    "order": "How likely the second text follows the first.",
    "plot": "Lay the curves of several runs in one picture.",
    "predict": "Labels with probabilities for texts.",
    "prepare": "Raw text to shards for pretraining.",
    "pretrain": "Pretrain masked pieces and sentence order on your own text.",
    "score": "The official scores of anybody's predictions.",
    "serve": "A model behind HTTP, with a page to try it.",
    "tokenize": "Lines of text to pieces, ids and offsets.",
    "train-vocab": "A SentencePiece vocabulary with ALBERT's specials.",
}


# Words that other tools use for a command, and that are not close to its name in spelling.
OTHER_WORDS = {"train": ("finetune", "pretrain")}

PACKAGES = {"sklearn": "scikit-learn", "google_crc32c": "google-crc32c"}
"""Modules whose package has another name."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return a command."""
        return COMMANDS[cmd_name] if cmd_name in COMMANDS else None  # noqa: SIM401 - get() raises for unknown names

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command; an unknown one gets the nearest name."""
        if args and args[0] not in COMMANDS:
            meant = " or ".join(f'"{name}"' for name in OTHER_WORDS.get(args[0], ()))
            hint = f"; did you mean {meant}?" if meant else did_you_mean(args[0], COMMANDS)
            raise click.UsageError(f'there is no command "{args[0]}"{hint}', ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        rows = [(name, SUMMARIES.get(name, "")) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _nearest_option(error: click.NoSuchOption) -> str:
    """Return `; did you mean "--x"?` for the option nearest to one that a command does not have, or an empty string.

    The dashes do not count, which all options have; a word that an option begins with leads to it.
    """
    params = [] if error.ctx is None else error.ctx.command.params
    known = [name[2:] for param in params for name in param.opts if name.startswith("--")]
    word = error.option_name.lstrip("-")
    longer = [name for name in known if name.startswith(f"{word}-")]
    hint = f'; did you mean "{longer[0]}"?' if len(longer) == 1 else did_you_mean(word, known)
    return hint.replace('"', '"--', 1)


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001 - click's signature
    if value:
        from albertkit import __version__

        click.echo(f"albertkit {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: albertkit finetune --model albert-nano --data polarity --out runs/polarity",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def group() -> None:
    """The toolkit for ALBERT: text in, a trained classifier and its report out."""


def main(arguments: list[str] | None = None) -> None:
    """Run a command; an error meant for the user is one sentence on standard error, and exit status 1 or 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if instruction := os.environ.get("_ALBERTKIT_COMPLETE"):
            from albertkit.cli.completion import complete

            sys.exit(complete(group, instruction))
        # Not group.main(): it would exit with 1 when the reader of our output has left.
        with group.make_context("albertkit", words) as context:
            group.invoke(context)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        sys.exit(130)
    except click.NoSuchOption as error:
        click.UsageError(f'there is no option "{error.option_name}"{_nearest_option(error)}', error.ctx).show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except AlbertkitError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library in ("", "albertkit"):
            raise
        click.echo(
            f"error: this needs {library}, which is not installed: pip install {PACKAGES.get(library, library)}",
            err=True,
        )
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output has left (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(0)


def script() -> NoReturn:
    """Run the command line as a program: `main`, with a quick start and end.

    Importing torch makes a million objects that stay. `albertkit fill albert-nano` takes 2.3 s of a processor's time as
    plain Python (torch 2.13, one core, median of 3), 2.2 s where the garbage collector looks through them less often,
    and 1.7 s where Python does not take the interpreter apart at the end.
    """
    gc.set_threshold(50_000, 20, 50)
    code: Any = 0
    try:
        main()
    except SystemExit as done:
        code = done.code
    # What was registered for the end still runs (temporary folders, child processes).
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:  # the reader of our output has left
        pass
    except OSError as error:
        code = code or 1
        with suppress(OSError):
            os.write(2, f"error: standard output: {error.strerror}\n".encode())
    os._exit(code if isinstance(code, int) else int(code is not None))
