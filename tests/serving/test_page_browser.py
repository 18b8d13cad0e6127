"""The page in a real browser: every panel, wrong input, a server that has gone, both themes, a phone and a desk.

Needs Playwright's Python package and a Chromium of the system; with axe-playwright-python, axe-core looks through every
state, too.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.serving.asking import predictor_of

from albertkit.serving.limits import Limits
from albertkit.serving.server import bind, make_server
from albertkit.serving.service import Service

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine"),
    pytest.mark.filterwarnings("ignore"),  # the driver's own
]

SIZES = {"phone": {"width": 360, "height": 800}, "desk": {"width": 1440, "height": 900}}
PANELS = {
    "classification": ["classify", "compare", "tokenize"],
    "question_answering_v2": ["answer", "compare", "tokenize"],
    "token_classification": ["tag", "compare", "tokenize"],
    "multiple_choice": ["choose", "compare", "tokenize"],
    "pretrained": ["fill", "compare", "order", "tokenize"],
}
"""What the page shows of a model, in its order."""


@contextmanager
def running(task: str, *, keys: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """A served tiny model: its address, and what ends it."""
    there = threading.Event()
    service = Service(lambda: predictor_of(task), limits=Limits(max_characters=200))
    listening = bind("127.0.0.1", 0)
    server = make_server(service, keys=keys, ready=lambda _: there.set())
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join(30)

    try:
        assert there.wait(60)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/", stop
    finally:
        stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@contextmanager
def opened(browser: Any, url: str, *, theme: str = "light", size: str = "desk") -> Iterator[Any]:
    """A page at an address; nothing may be written to its console but refused requests."""
    words: list[str] = []
    with browser.new_context(viewport=SIZES[size], color_scheme=theme) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: words.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: words.append(f"error: {error}"))
        page.goto(url)
        yield page
    assert [word for word in words if not word.startswith("Failed to load resource")] == []


def use(page: Any, route: str) -> Any:
    """Press a panel's button and return its answer, once it is there."""
    panel = page.locator(f"section#{route}")
    panel.locator("form button").first.click()
    panel.locator("button:not([aria-disabled])").first.wait_for()
    answer = panel.locator(".answer")
    answer.locator("> *").first.wait_for()
    return answer


def look_through(page: Any) -> None:
    """Nothing is wider than the screen, and axe finds nothing serious."""
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    try:
        from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-not-found]
    except ImportError:
        return
    tools = page.context.new_cdp_session(page)  # past the page's policy, which lets no foreign script in
    tools.send("Runtime.evaluate", {"expression": AXE_SCRIPT})
    program = "axe.run().then((found) => JSON.stringify(found.violations.map((one) => [one.impact, one.id])))"
    found = tools.send("Runtime.evaluate", {"expression": program, "awaitPromise": True, "returnByValue": True})
    assert [one for one in json.loads(found["result"]["value"]) if one[0] in ("serious", "critical")] == []


@pytest.mark.parametrize("task", PANELS)
def test_every_panel_answers(browser: Any, task: str) -> None:
    with running(task) as (url, _):
        for theme, size in (("light", "phone"), ("dark", "desk")):
            with opened(browser, url, theme=theme, size=size) as page:
                page.locator("section").first.wait_for()
                assert [each.get_attribute("id") for each in page.locator("section").all()] == PANELS[task]
                for route in PANELS[task]:
                    answer = use(page, route)
                    assert answer.locator(".problem").count() == 0, answer.inner_text()
                look_through(page)


def test_what_the_answers_say(browser: Any) -> None:
    with running("classification") as (url, _), opened(browser, url) as page:
        page.locator("#classify-text").fill("A <b>splendid</b> film 🎬, isn't it?")
        answer = use(page, "classify")
        shares = [float(each.split()[0]) for each in answer.locator(".bars .number").all_inner_texts()]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(100, abs=0.2)
        assert answer.locator(".big").inner_text() == answer.locator(".bars li span").first.inner_text()
        assert answer.locator("p.text").inner_text() == "A <b>splendid</b> film 🎬, isn't it?"  # text, not markup
        page.locator("#compare-pair").fill(page.locator("#compare-text").input_value())
        assert use(page, "compare").locator(".big").inner_text() == "Similarity 1.000"
    with running("pretrained") as (url, _), opened(browser, url) as page:
        page.locator("#fill-text").fill("")
        page.get_by_role("button", name="Insert [MASK]").click()
        assert page.locator("#fill-text").input_value() == "[MASK]"
        assert use(page, "fill").locator(".bars li").count() > 1


@pytest.mark.parametrize(("theme", "size"), [("light", "desk"), ("dark", "phone")])
def test_wrong_input_and_a_server_that_has_gone(browser: Any, theme: str, size: str) -> None:
    with running("classification") as (url, stop), opened(browser, url, theme=theme, size=size) as page:
        field = page.locator("#classify-text")
        for nothing in ("", "  \n "):
            field.fill(nothing)
            problem = use(page, "classify").locator(".problem")
            assert problem.inner_text() == "Enter a text: “Text” is empty."
            assert field.get_attribute("aria-invalid") == "true"
            assert field.evaluate("(one) => one === document.activeElement")
            look_through(page)
        field.fill("x" * 201)
        said = use(page, "classify").locator(".problem").inner_text()
        assert said == 'The "text" has 201 characters; the limit is 200; send it in parts'
        assert field.get_attribute("aria-invalid") is None
        look_through(page)
        field.fill("short again")
        assert use(page, "classify").locator(".problem").count() == 0
        stop()
        said = use(page, "classify").locator(".problem").inner_text()
        assert said == "The server cannot be reached; is it running?"
        assert field.input_value() == "short again"
        look_through(page)


def test_a_key_is_asked_for(browser: Any) -> None:
    with running("classification", keys=("sesame",)) as (url, _), opened(browser, url) as page:
        field = page.locator("#key-field")
        field.wait_for()
        assert page.locator("section").count() == 0
        look_through(page)
        field.fill("wrong")
        field.press("Enter")
        page.get_by_text("This server needs an API key").first.wait_for()
        field.fill("sesame")
        field.press("Enter")
        page.locator("section").first.wait_for()
        assert use(page, "tokenize").locator("li").count() > 3
