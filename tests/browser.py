"""A real browser for pages: Chromium as the system has it, without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (apt-get install chromium)")


@contextmanager
def opened() -> Iterator[Any]:
    """A browser; slow to start, so one a module."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Seen:
    """A page as a reader has it, and everything it asked for or complained of."""

    def __init__(self, browser: Any, path: Path, *, hash_: str = "", **context: object) -> None:
        settings: dict[str, Any] = {"offline": True, "viewport": {"width": 1280, "height": 900}} | context
        self.context = browser.new_context(**settings)
        self.page = self.context.new_page()
        self.page.set_default_timeout(8_000)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("dialog", lambda dialog: (self.said.append("dialog"), dialog.dismiss()))
        self.page.goto(path.as_uri() + hash_)

    def rows(self) -> list[str]:
        """First cells of the rows that are shown, in their order, without the button."""
        self.settled()
        return self.page.evaluate(
            "() => [...document.querySelectorAll('#table tbody tr')].filter((row) => row.offsetHeight)"
            ".map((row) => row.cells[0].querySelector('a').textContent)"
        )

    def column(self, title: str) -> list[str]:
        """The cells that are shown below a heading."""
        self.settled()
        return self.page.evaluate(
            "(title) => { const heads = [...document.querySelectorAll('#table thead th')];"
            "const at = heads.findIndex((head) => head.textContent.startsWith(title));"
            "return [...document.querySelectorAll('#table tbody tr')].filter((row) => row.offsetHeight)"
            ".map((row) => row.cells[at].textContent) }",
            title,
        )

    def settled(self) -> None:
        """Waits until every row is laid out."""
        self.page.wait_for_function("toCome.length === 0")

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).inner_text())

    def close(self) -> None:
        self.context.close()
