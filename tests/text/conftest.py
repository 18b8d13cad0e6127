"""Golden ids and texts that are hard on tokenizers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """Ids that other software gave; its sources are named in the file."""
    path = Path(__file__).resolve().parents[1] / "golden" / "tokenizer.json"
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


TORTURE = [
    "",
    "  ",
    " a",
    "a  b\tc\nd\x1ce\x85f\u2028g\u00a0h\u3000i\r\nj\r",
    "\x00a\x00",
    "\u0130stanbul \u0391\u03a3 \u03a3\u0391\u03a3 \u00df \u1e9e Stra\u00dfe \u017ft \u0149",
    "``quoted'' ''x``",
    "1,2,3,000, and 2,500, 1,947,",
    "\u0663,\u0664 \u2462,\u2463, \u00bd, \u00b2, \uff11\uff0c\uff10\uff10\uff10\uff0c",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f \U0001f914?",
    "cafe\u0301 caf\u00e9 \u1100\u1161 \uac01 e\u0327\u0301 q\u0323\u0307 x\u20e3",
    "\ufb01ne \ufb03 \u338f \u337f \ufdfa \uff21\uff42\uff43",
    "a\u200bb a\u200db a\ufeffb a\u00adb a\u2060b",
    "a\u2581b \u2581\u2581 \u2581",
    '- -- --- (a)(b) "x" \u00a35\u20ac3\u2013',
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0915\u094d\u200d\u0937 \u0e44\u0e17\u0e22 \u0e20\u0e32\u0e29\u0e32",
    "\u0345 \u1fb3 \u037a",
    "<s> </s> [unused] </pad>",
    "\u01c5 \u01c4 \u01c6 \u0133 \u2121 \u2116 \u2122 \u212a \u212b \u2126 \u00b5",
    "\u2026 \u2025 \u2024 \u201cq\u201d \u2018q\u2019 \u00ab\u00bb \u00b4 \u00a8 \u00b8 \u02da \u02dc",
    "\ua7f2 \U0001f16c \U0001fbf9",
]


@pytest.fixture(scope="session")
def torture() -> list[str]:
    """Whitespace, marks, ligatures, wide forms, emoji, characters without width, scripts, commas."""
    return TORTURE
