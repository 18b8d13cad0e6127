"""Complete commands in a shell.

click prints the scripts and asks the commands. This module adds names, and files if nothing else is known: most
arguments (a model, a run, data) are a path or a name, which click cannot distinguish from free text.
"""

from __future__ import annotations

from click import Command
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    shell_complete,
)

from albertkit.errors import UsageError

VARIABLE = "_ALBERTKIT_COMPLETE"
"""Environment variable in which the shell says what it wants, such as `bash_source` (click's convention)."""


class _WithNames(ShellComplete):
    """Completes names that albertkit knows, and files."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        """Return click's own candidates, else known names, else the word to complete as a file's."""
        found = super().get_completions(args, incomplete)
        if found or incomplete.startswith("-"):
            return found
        names = [name for name in _names_for(args[-1] if args else "") if name.startswith(incomplete)]
        return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]


class _Bash(_WithNames, BashComplete):
    pass


class _Zsh(_WithNames, ZshComplete):
    pass


class _Fish(_WithNames, FishComplete):
    pass


SHELLS = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


def complete(command: Command, instruction: str) -> int:
    """Print the completion script of a shell, or the candidates for the values in its variables.

    Args:
        command: the command that has all others.
        instruction: `SHELL_source` or `SHELL_complete`.

    Returns:
        The exit status.

    Raises:
        UsageError: another instruction.
    """
    shell, _, wanted = instruction.partition("_")
    if shell not in SHELLS or wanted not in ("source", "complete"):
        raise UsageError(f"{VARIABLE}={instruction} is none of " + ", ".join(f"{name}_source" for name in SHELLS))
    for kind in SHELLS.values():
        add_completion_class(kind)
    return shell_complete(command, {}, "albertkit", VARIABLE, instruction)


def _names_for(option: str) -> list[str]:
    if option == "--model":
        from albertkit.hub.known_models import known_models

        return [str(model["name"]) for model in known_models()]
    if option == "--data":
        from albertkit.datasets import DATASETS

        return list(DATASETS)
    return []
