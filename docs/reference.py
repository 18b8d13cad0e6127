"""Write docs/commands.md from the commands' own help; `--check` only tells whether it is current."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from albertkit.cli import COMMANDS, group

TARGET = Path(__file__).with_name("commands.md")


def page() -> str:
    """Return the page: every command's help, as `albertkit COMMAND -h` prints it."""
    parts = ["# Commands\n\nWritten by `make docs` from the help of each command.\n"]
    width = {"max_content_width": 110, "terminal_width": 110}
    root = click.Context(group, info_name="albertkit", help_option_names=["-h", "--help"], **width)
    for name in sorted(COMMANDS):
        command = COMMANDS[name]
        context = click.Context(command, info_name=name, parent=root, **width)
        help_text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
        parts.append(f"## albertkit {name}\n\n```text\n{help_text}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    text = page()
    if "--check" in sys.argv:
        sys.exit(0 if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text else "run make docs")
    TARGET.write_text(text, encoding="utf-8")
