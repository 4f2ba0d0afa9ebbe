"""The words of a statement of OpenMLDB, taken one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

from sqlglot.tokenizer_core import Token, TokenType

from workbench.errors import DefinitionError, Position
from workbench.sql.dialect import position_at


class Words:
    """The words of a statement, taken one by one."""

    def __init__(self, tokens: list[Token], text: str) -> None:
        self.tokens = list(_joined(tokens))
        self.text = text
        self.place = 0

    def peek(self, ahead: int = 0) -> str:
        """Return a word that is to come, in capitals; '' after the last."""
        place = self.place + ahead
        return self.tokens[place].text.upper() if place < len(self.tokens) else ""

    def take(self, *words: str) -> bool:
        """Go on behind words where they come next, and return whether they do."""
        if all(self.peek(ahead) == word for ahead, word in enumerate(words)):
            self.place += len(words)
            return True
        return False

    def need(self, word: str) -> None:
        """Go on behind a word that must come next."""
        if not self.take(word):
            self.fail(f"expected {word} before {self.peek() or 'the end'}")

    def name(self) -> str:
        """Take a name."""
        token = self._next()
        if not re.fullmatch(r"\w+", token.text):
            self.place -= 1
            self.fail(f"expected a name before {token.text!r}")
        return token.text

    def value(self) -> str:
        """Take a literal or a word, with its sign and unit."""
        text = self._next().text
        if text in "+-":
            text += self._next().text
        if text.isdigit() and self.place < len(self.tokens) and self._touches():
            text += self._next().text
        return text

    def _touches(self) -> bool:
        before, token = self.tokens[self.place - 1], self.tokens[self.place]
        return token.start == before.end + 1 and token.text.isalpha()

    def options(self) -> dict[str, str]:
        """Take ``(name = value, ...)``."""
        self.need("(")
        found = {}
        while not self.take(")"):
            name = self.name().casefold()
            self.need("=")
            found[name] = self.value()
            self.take(",")
        return found

    def until_close(self) -> list[str]:
        """Take literals and words up to the closing bracket."""
        found = []
        while not self.take(")"):
            found.append(self.value())
            self.take(",")
        return found

    def skip_to_close(self) -> None:
        """Go on behind the next closing bracket."""
        while not self.take(")"):
            self._next()

    def literals(self) -> list[Any]:
        """Take constants up to the closing bracket, as values."""
        found = []
        while not self.take(")"):
            found.append(self._literal())
            self.take(",")
        return found

    def _literal(self) -> Any:
        token = self.tokens[self.place] if self.place < len(self.tokens) else self._next()
        text = self.value()
        if token.token_type == TokenType.STRING:
            return text
        if text.upper() == "NULL":
            return None
        if text.upper() in ("TRUE", "FALSE"):
            return text.upper() == "TRUE"
        if self.take("::"):
            self._next()
        try:
            return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
        except ValueError:
            self.fail(f"a value is a constant here, not {text}")

    def rest(self) -> str:
        """Return the text from here to the statement's end."""
        return self.text[self.tokens[self.place].start : self.tokens[-1].end + 1] if self.peek() else ""

    def position(self) -> Position:
        """Return where the next word stands."""
        token = self.tokens[min(self.place, len(self.tokens) - 1)]
        return position_at(self.text, token.start, len(token.text))

    def fail(self, message: str, hint: str | None = None) -> NoReturn:
        """Raise the error of the place of the next word."""
        raise DefinitionError(message, hint=hint, position=self.position(), source=self.text)

    def _next(self) -> Token:
        if self.place >= len(self.tokens):
            self.fail("the statement ends too early")
        self.place += 1
        return self.tokens[self.place - 1]


def _joined(tokens: list[Token]) -> Iterator[Token]:
    """Tokens whose text may hold several words, such as IF NOT EXISTS, as one word each."""
    for token in tokens:
        parts = token.text.split()
        if token.token_type == TokenType.STRING or len(parts) < 2:
            yield token
            continue
        for part in parts:
            yield Token(TokenType.VAR, part, token.line, token.col, token.start, token.end, [])
