"""What a step of the story shows, without saying how it is printed."""

from dataclasses import dataclass

from carnet.core.text import Text


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph."""

    text: Text


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a header; cells are texts."""

    header: tuple[Text, ...]
    rows: tuple[tuple[Text, ...], ...]


@dataclass(frozen=True, slots=True)
class Item:
    """A headline with labelled details, such as a finding."""

    headline: Text
    details: tuple[tuple[Text, Text], ...]


Block = Paragraph | Table | Item


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the story and what it shows."""

    number: int
    title: Text
    blocks: tuple[Block, ...]


def plain(value: object) -> Text:
    """Return a value that reads the same in both languages."""
    return Text(str(value), str(value))
