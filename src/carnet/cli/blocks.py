"""Printing the blocks of a story: paragraphs, tables and findings."""

from typing import TYPE_CHECKING

from carnet.cli.language import say

if TYPE_CHECKING:
    from rich.console import Console

    from carnet.services.demo.blocks import Block, Item, Step, Table

WIDTH_MIN = 100
"""Columns where the output is no terminal, wide enough for the tables."""


def make_console() -> "Console":
    """Return a console on stdout: as wide as the terminal, fixed where there is none."""
    import sys

    from rich.console import Console

    width = None if sys.stdout.isatty() else WIDTH_MIN
    return Console(width=width, highlight=False, markup=False, emoji=False)


def _print_table(console: "Console", table: "Table") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable

    shown = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    for name in table.header:
        shown.add_column(say(name), overflow="fold")
    for row in table.rows:
        shown.add_row(*(say(cell) for cell in row))
    console.print(shown)


def _print_item(console: "Console", item: "Item") -> None:
    from rich.padding import Padding
    from rich.text import Text as RichText

    console.print(RichText(say(item.headline), style="bold"))
    for label, detail in item.details:
        console.print(Padding(RichText(f"{say(label)}: {say(detail)}"), (0, 0, 0, 2)))


def print_block(console: "Console", block: "Block") -> None:
    """Print one block in the current language."""
    from carnet.services.demo.blocks import Item, Table

    if isinstance(block, Table):
        _print_table(console, block)
    elif isinstance(block, Item):
        _print_item(console, block)
    else:
        console.print(say(block.text))


def print_step(console: "Console", step: "Step", count: int) -> None:
    """Print a step of a story with its title."""
    console.print()
    console.rule(f"{step.number}/{count}  {say(step.title)}", align="left")
    for block in step.blocks:
        print_block(console, block)
