"""Options that list members: what is named twice or in several options is never passed over."""

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from carnet.cli.commands.ledger import _names
from carnet.cli.main import app


def test_names__of_commas_and_of_several_options_are_all_taken() -> None:
    assert _names(["seller,listing", " outputs ", "seller"]) == {"seller", "listing", "outputs"}
    assert _names(None) == _names([""]) == frozenset()


@pytest.mark.parametrize(("path", "option"), [("record issue", "withhold"), ("bundle", "disclose")])
def test_option__may_be_given_more_than_once(path: str, option: str) -> None:
    """Of an option that may not, the last one alone would count: a member would be shown."""
    command = get_command(app)
    for name in path.split():
        assert isinstance(command, TyperGroup)
        command = command.commands[name]
    (found,) = [one for one in command.params if one.name == option]
    assert found.multiple
