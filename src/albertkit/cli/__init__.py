"""The `albertkit` command: one file per subcommand, imported when it is called."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn

import click

from albertkit.errors import AlbertkitError, did_you_mean
from albertkit.registry import Registry

# The first line of every command's help, here too, so that the list of commands imports none of them; a test compares.
COMMAND_GROUPS: Mapping[str, Mapping[str, str]] = {
    "Train and predict": {
        "finetune": "Fine-tune a classifier, regressor, tagger or question answerer.",
        "evaluate": "Score a trained model with the data set's official metrics.",
        "predict": "Predict labels and probabilities for texts.",
        "tune": "Search the settings of a fine-tuning run.",
        "plot": "Plot the learning curves of several runs in one picture.",
        "glue": "Fine-tune and score all GLUE tasks, and write the server's zip file.",
        "score": "Score a prediction file with the official metrics.",
    },
    "Embed and search": {
        "embed": "Compute one vector per text: of a file of any size, or of the command line.",
        "nearest": "Find the texts most similar to a text in a file of vectors.",
        "mine": "Mine hard negatives for pairs of texts by a model's vectors.",
        "encode": "Run a model on padded arrays of token ids.",
    },
    "Deploy": {
        "serve": "Serve a model over HTTP, with a web page to try it.",
        "export": "Export a trained model to ONNX, OpenVINO or a page for the browser.",
        "push": "Send a trained model to the Hugging Face hub.",
    },
    "Pretrain": {
        "prepare": "Convert raw text to shards for pretraining.",
        "pretrain": "Pretrain on your own text: masked words and sentence order.",
        "distill": "Train a small encoder to give the vectors of a larger one.",
        "train-vocab": "Train a SentencePiece vocabulary with ALBERT's special tokens.",
        "fill": "Predict the pieces behind each [MASK] in a text.",
        "order": "Predict whether the second text follows the first.",
    },
    "Models, data and tokenizers": {
        "audit": "Find likely label errors, duplicates, leaks and outliers in a data set.",
        "models": "List the known models.",
        "info": "Show a model's shape, its parameters, and how many sharing saves.",
        "download": "Download a known model or data set, after asking.",
        "convert": "Convert a checkpoint to another format.",
        "tokenize": "Split lines of text into pieces, ids and offsets.",
        "benchmark": "Compare albertkit's speed with other libraries on this machine.",
    },
}
SUMMARIES = {name: summary for commands in COMMAND_GROUPS.values() for name, summary in commands.items()}
FIRST_STEPS = (
    "albertkit finetune --data reviews.csv --out runs/reviews",
    "albertkit evaluate runs/reviews --data reviews.csv --as-trained",
    'albertkit predict runs/reviews "a small wonder of a film"',
    "albertkit embed albert-nano --input texts.txt --output vectors.parquet",
    "albertkit serve runs/reviews",
)
"""Five commands to start with."""

COMMANDS: Registry[click.Command] = Registry(
    "command",
    group="albertkit.commands",
    table={name: f"albertkit.cli.{name.replace('-', '_')}:command" for name in SUMMARIES},
)

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
        """Show the first steps and all commands by group, without importing the commands."""
        with formatter.section("Start with"):
            for line in FIRST_STEPS:
                formatter.write_text(line)
        added = {name: "" for name in self.list_commands(ctx) if name not in SUMMARIES}
        width = max(map(len, COMMANDS))
        for title, commands in (*COMMAND_GROUPS.items(), *([("Added by other packages", added)] if added else [])):
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), summary) for name, summary in commands.items()])


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


def _nearest_choice(error: click.BadParameter) -> str:
    """Return `; did you mean "x"?` for the choice nearest to a wrong value, or an empty string."""
    value, *choices = error.message.split("'")[1::2]  # 'fp8' is not one of 'auto', 'fp32'
    return did_you_mean(value, choices)


def _missing(error: click.MissingParameter) -> str:
    """Return the name of a missing option or argument."""
    param = error.param
    if param is None:
        return "a value"
    return param.opts[0] if isinstance(param, click.Option) else param.human_readable_name


def _example(ctx: click.Context | None) -> str:
    """Return a command's example for the end of a message."""
    example = "" if ctx is None else (ctx.command.epilog or "").partition("Example: ")[2]
    return f", as in: {example}" if example else ""


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001 - click's signature
    if value:
        from albertkit import __version__

        click.echo(f"albertkit {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`albertkit COMMAND -h` shows an example and all options of a command.",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def group() -> None:
    """Fine-tune, evaluate and serve ALBERT models on your own text."""


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
    except click.MissingParameter as error:
        click.UsageError(f"{_missing(error)} is missing{_example(error.ctx)}", error.ctx).show()
        sys.exit(error.exit_code)
    except click.BadParameter as error:
        hint = _nearest_choice(error) if isinstance(error.param and error.param.type, click.Choice) else ""
        (click.UsageError(error.format_message().rstrip(".") + hint, error.ctx) if hint else error).show()
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
