"""What is left of a stored decision when facts that it rests on are erased.

The decision keeps its case, pack, date and verdict, the rules that found something and the ids of
the facts they name: that it was made, and how, can still be shown. It loses the words and values
that told what those facts said.

Source: docs/spec/record-and-log.md, RL-9.5.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from carnet.core.text import Text

FactKey = tuple[str, str]

ERASED: Final = Text(
    "Erased together with the data that it quoted.", "已连同其引用的数据一并删除。"
)


def without_erased(
    content: Mapping[str, Any], erased: Collection[FactKey], around: Collection[FactKey]
) -> dict[str, Any] | None:
    """Return a decision without what it says of erased facts, None where it says nothing of them.

    Args:
        content: The decision.
        erased: Type and id of the facts that go.
        around: Those of facts that stay and lead to the subject. What a rule could not tell about
            one of them may be a matter of the facts that go.
    """
    case = _key(content["case"])
    result = dict(content)
    result["findings"] = [
        _blank(each, "message", "remedy") | _no_values(each)
        if case in erased or any(_key(fact) in erased for fact in each.get("facts", ()))
        else each
        for each in content["findings"]
    ]
    if case in erased or case in around:
        result["errors"] = [_blank(each, "cause") for each in content.get("errors", ())]
    if case in erased:
        result |= {"measures": {}, "outputs": {}}
        result["not_applicable"] = [
            _blank(each, "reason") for each in content.get("not_applicable", ())
        ]
    result = {name: value for name, value in result.items() if name in content}
    return None if result == content else result


def _key(fact: Mapping[str, str]) -> FactKey:
    return fact["type"], fact["id"]


def _blank(each: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: ERASED.to_json() if name in names else value for name, value in each.items()}


def _no_values(each: Mapping[str, Any]) -> dict[str, Any]:
    return {"values": {}} if "values" in each else {}
