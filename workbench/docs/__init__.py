"""The pages of the documentation that come with the package.

>>> "language" in pages()
True
"""

from __future__ import annotations

from importlib import resources

from workbench.errors import NotFound, did_you_mean


def pages() -> list[str]:
    """Return the names of the pages, sorted."""
    found = (entry.name for entry in resources.files(__name__).iterdir())
    return sorted(name.removesuffix(".md") for name in found if name.endswith(".md"))


def page(name: str) -> str:
    """Return the Markdown of a page.

    Raises
    ------
    NotFound
        There is no page of that name.
    """
    if name not in pages():
        close = did_you_mean(name, pages())
        raise NotFound(
            f"there is no page {name!r}" + (f"; {close}" if close else ""),
            hint=f"pages: {', '.join(pages())}",
        )
    return (resources.files(__name__) / f"{name}.md").read_text(encoding="utf-8")


__all__ = ["page", "pages"]
