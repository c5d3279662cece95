"""What the bulk engine does not compile is refused by name, never decided another way."""

from collections.abc import Iterator

from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.rules.ast import Lookup, Pack, parts_of
from carnet.rules.bulk.plan import values_of_pack


def _features(pack: Pack) -> Iterator[Text]:
    values = (part for value in values_of_pack(pack) for part in parts_of(value))
    if pack.tables or any(isinstance(part, Lookup) for part in values):
        yield Text("decision tables", "决策表")
    if pack.closures:
        yield Text("closures", "闭包")
    if pack.after:
        yield Text("stages", "阶段")


def check_compiles(pack: Pack) -> None:
    """Refuse a pack that uses what this engine does not compile.

    Raises:
        RulePackError: It does; the message names it.
    """
    found = list(_features(pack))
    if found:
        raise RulePackError(
            "CRN-R-170",
            Text(
                f"The bulk engine does not compile {', '.join(one.en for one in found)}"
                f" (pack {pack.id}).",
                f"批量引擎不支持{'、'.join(one.zh for one in found)}（规则包 {pack.id}）。",
            ),
            Text("Use --engine live or reference.", "请使用 --engine live 或 reference。"),
            path="pack.yaml",
        )
