"""Words and signs of the review page, in its language."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from carnet.cli.render.review_style import SIGNS
from carnet.core.text import Language, Text
from carnet.rules.decision import Conformity
from carnet.services.words import ADMISSIONS, DOCUMENT_STATUSES, NOT_REVIEWED


@dataclass(frozen=True, slots=True)
class Writer:
    """What writes in one language."""

    language: Language

    def t(self, en: str, zh: str) -> str:
        """Return one of two texts."""
        return en if self.language == "en" else zh

    def say(self, text: Text) -> str:
        """Return a text."""
        return text.in_language(self.language)

    def list(self, parts: Iterable[str]) -> str:
        """Return some words as a list in a sentence."""
        return self.t(", ", "、").join(parts)

    def tone(self, code: str | None) -> str:
        """Return the class of a verdict, status or severity."""
        return SIGNS[code][1] if code in SIGNS else "dim"

    def marked(self, code: str, words: Mapping[str, Text]) -> str:
        """Return a word behind its sign, as markup."""
        sign = f'<span aria-hidden="true">{SIGNS[code][0]}</span>'
        return f"{sign} {escape(self.say(words[code]))}"

    def admission(self, verdict: Conformity | None) -> str:
        """Return what a verdict means for a listing, as markup."""
        if verdict is None:
            return f'<span aria-hidden="true">–</span> {escape(self.say(NOT_REVIEWED))}'
        return self.marked(verdict, ADMISSIONS)

    def status(self, code: str) -> str:
        """Return the status of a document, as markup; one that has no word is told by its code."""
        if code not in DOCUMENT_STATUSES:
            return escape(code)
        return self.marked(code, DOCUMENT_STATUSES)
