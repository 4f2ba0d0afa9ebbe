"""HTML in a cell's output that can be changed later."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from IPython.display import display, update_display

from workbench.notebook import html
from workbench.notebook.work import Progress, throttled


class Output:
    """HTML in a cell's output that can be changed later, also from a thread. It is stored with the notebook.

    Parameters
    ----------
    value
        The HTML.
    text
        What is shown where there is no HTML.
    """

    def __init__(self, value: str = "", text: str = "") -> None:
        self._value, self._text = value, text
        self._id: str | None = None

    @property
    def value(self) -> str:
        """The HTML."""
        return self._value

    @value.setter
    def value(self, value: str) -> None:
        self._value = value
        if self._id:
            update_display(self._bundle(), display_id=self._id, raw=True)

    def show(self) -> None:
        """Put it into the output of the running cell."""
        self._id = uuid.uuid4().hex
        display(self._bundle(), display_id=self._id, raw=True)

    def _bundle(self) -> dict[str, str]:
        return {"text/html": self._value, "text/plain": self._text}


@contextmanager
def progress_line() -> Iterator[Progress]:
    """Give a callback ``(step, share)`` that shows a line in the running cell's output; it vanishes at the end."""
    line = Output()
    line.show()

    def show(step: str, share: float) -> None:
        line.value = html.page(html.progress(step, share))

    try:
        yield throttled(show)
    finally:
        line.value = ""
