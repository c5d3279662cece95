"""Texts for users, always in both languages of the product."""

from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Text:
    """One message in English and in Chinese."""

    en: str
    zh: str

    def in_language(self, language: Language) -> str:
        """Return the message in one language."""
        return self.zh if language == "zh" else self.en

    def to_json(self) -> dict[str, str]:
        """Return the message in both languages, as JSON output carries it."""
        return {"en": self.en, "zh": self.zh}

    def __str__(self) -> str:
        return self.en
