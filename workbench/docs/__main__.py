"""Write the pages that are made from the code: ``python -m workbench.docs``."""

from __future__ import annotations

from pathlib import Path

from workbench.docs.language import language


def main() -> None:
    """Write them beside this file."""
    path = Path(__file__).with_name("language.md")
    path.write_text(language(), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
