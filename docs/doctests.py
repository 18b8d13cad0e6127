"""Tells mkdocstrings that a doctest inside a docstring is code (an extension of griffe, named in mkdocs.yml)."""

from __future__ import annotations

from typing import Any

import griffe


class FenceDoctests(griffe.Extension):
    """Puts fences around every paragraph that begins with `>>>`."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of an object that was just read."""
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(docstring: str) -> str:
    """Return the docstring with its doctests as blocks of code.

    >>> print(fenced("Adds.\\n\\n>>> add(1, 2)\\n3\\n\\nArgs:"))
    Adds.
    <BLANKLINE>
    ```pycon
    >>> add(1, 2)
    3
    ```
    <BLANKLINE>
    Args:
    """
    lines: list[str] = []
    indent: str | None = None  # of the doctest that is open
    for line in [*docstring.splitlines(), ""]:
        bare = line.lstrip()
        if indent is None and bare.startswith(">>> "):
            indent = line[: len(line) - len(bare)]
            lines.append(f"{indent}```pycon")
        elif indent is not None and not bare:
            lines.append(f"{indent}```")
            indent = None
        lines.append(line)
    return "\n".join(lines[:-1])
