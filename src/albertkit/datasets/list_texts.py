"""Lists that were written as text: what pandas makes of a column of lists in a CSV file."""

from __future__ import annotations

import ast
import re
from typing import Any

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_STRING = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_ITEM = re.compile(rf"(np\.\w+\()?(?:({_STRING})|({_NUMBER})|(\w+))(\))?", re.DOTALL)
_BETWEEN = re.compile(r"\s*,\s*|\s+")  # NumPy writes no commas
_BEGIN = re.compile(r"""\[\s*(?:['"\[]|np\.)|[({]\s*(?:['"]|np\.)""")
_UNCLOSED = re.compile(r"""\[\s*['"][^\]]*""")
_ARRAY = re.compile(r"(?:np\.|numpy\.)?array\((.*?)(?:,\s*dtype=[^\])=]*)?\)", re.DOTALL)
_BARE = re.compile(r"[01](?:\s*,\s*[01]){2,}")  # two would be a number with a decimal comma
_MAYBE = re.compile(r"\[[^\]]*\]?|\[\s*\[.*|(?:np\.|numpy\.)?array\(.*", re.DOTALL)
_WORDS = {"True": True, "true": True, "False": False, "false": False}
_GAPS = ("None", "null", "nan", "NaN")
_CLOSING = {"[": "]", "(": ")", "{": "}"}


def is_list_text(text: str) -> bool:
    """Return whether a text is meant to be a list: it has brackets and, inside, strings, numbers or nothing.

    So are three or more zeros and ones with commas, and a list of strings whose bracket nothing closes.

    >>> [is_list_text(text) for text in ("['a', 'b']", "array(['a'])", "[0 1 0]", "0,1,0", "[spam]", "a")]
    [True, True, True, True, False, False]
    """
    text = _bracketed(text)
    if _UNCLOSED.fullmatch(text):
        return True
    if len(text) < 2 or text[-1] != _CLOSING.get(text[0]):
        return False
    if _BEGIN.match(text):
        return True
    if text[0] != "[":
        return False
    try:
        parse_list(text)
    except ValueError:
        return False
    return True


def may_be_list(text: str) -> bool:
    """Return whether a text looks like a list, whether or not it can be read as one.

    >>> [may_be_list(text) for text in ("[a, b]", "[0 0 ... 1]", "array([a])", "[1] Smith", "a")]
    [True, True, True, False, False]
    """
    return _MAYBE.fullmatch(text.strip()) is not None


def _bracketed(text: str) -> str:
    """Return a list in its brackets only: without NumPy's array( ), and with them where zeros and ones have none."""
    text = text.strip()
    array = _ARRAY.fullmatch(text)
    if array is not None:
        return array[1].strip()
    return f"[{text}]" if _BARE.fullmatch(text) else text


def parse_list(text: str) -> list[Any]:
    """Return the strings, numbers, truth values and gaps (None) of a list written as text.

    >>> parse_list("['a', 'it\\\\'s']"), parse_list("[0. 1.]"), parse_list("[np.str_('a'), None]")
    (['a', "it's"], [0.0, 1.0], ['a', None])

    Args:
        text: as Python, NumPy or JSON write a list, a tuple or a set.

    Raises:
        ValueError: it is no such list, or holds other lists.
    """
    listed = _bracketed(text)
    if len(listed) < 2 or listed[-1] != _CLOSING.get(listed[0]):
        raise ValueError(f"{text!r:.60} cannot be read as a list of labels")
    inner = listed[1:-1].strip()
    items: list[Any] = []
    at = 0
    while at < len(inner):
        if items:
            between = _BETWEEN.match(inner, at)
            # NumPy puts strings side by side.
            at = between.end() if between else at
            if at == len(inner):
                break
        item = _ITEM.match(inner, at)
        if item is None or bool(item[1]) != bool(item[5]):
            raise ValueError(f"{text!r:.60} cannot be read as a list of labels")
        items.append(_value(item, text))
        at = item.end()
    return items


def _value(item: re.Match[str], text: str) -> Any:
    _, string, number, word, _ = item.groups()
    try:
        if string is not None:
            return ast.literal_eval(string) if "\\" in string else string[1:-1]
        if number is not None:
            return int(number) if number.lstrip("+-").isdigit() else float(number)
    except (ValueError, SyntaxError) as error:
        raise ValueError(f"{text!r:.60} cannot be read as a list of labels") from error
    if word in _WORDS:
        return _WORDS[word]
    if word in _GAPS:
        return None
    raise ValueError(f"{text!r:.60} cannot be read as a list of labels")
