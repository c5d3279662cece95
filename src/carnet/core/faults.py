"""What is wrong with a value that a model refused, in both languages.

Models stand at the edge and say what is wrong in English alone; people read what is said here.
"""

from collections.abc import Mapping
from typing import Any, Final

from carnet.core.text import Text

_TOLD: Final[Mapping[str, Text]] = {
    "missing": Text("is missing", "缺失"),
    "extra_forbidden": Text("is not known here", "不是此处的键"),
    "string_type": Text("must be a text", "须为文本"),
    "string_too_short": Text("must not be empty", "不得为空"),
    "string_too_long": Text("is too long", "过长"),
    "list_type": Text("must be a list", "须为列表"),
    "too_short": Text("has too few entries", "条目过少"),
    "too_long": Text("has too many entries", "条目过多"),
    "int_type": Text("must be a whole number", "须为整数"),
    "bool_type": Text("must be true or false", "须为 true 或 false"),
    "dict_type": Text("must be an object", "须为对象"),
    "model_type": Text("must be an object", "须为对象"),
    "date_type": Text("must be a date YYYY-MM-DD", "须为日期 YYYY-MM-DD"),
    "date_parsing": Text("must be a date YYYY-MM-DD", "须为日期 YYYY-MM-DD"),
    "date_from_datetime_parsing": Text("must be a date YYYY-MM-DD", "须为日期 YYYY-MM-DD"),
    "date_from_datetime_inexact": Text("must be a date YYYY-MM-DD", "须为日期 YYYY-MM-DD"),
}


def _place(location: tuple[Any, ...]) -> Text:
    """Return where a fault is: entries of lists counted from 1, keys joined by dots."""
    en: list[str] = []
    zh: list[str] = []
    for part in location:
        en.append(f"entry {part + 1}" if isinstance(part, int) else str(part))
        zh.append(f"第 {part + 1} 项" if isinstance(part, int) else str(part))
    return Text(", ".join(en) or "it", " 的 ".join(zh) or "内容")


def fault_text(fault: Mapping[str, Any]) -> Text:
    """Return one fault of a model as a phrase.

    Args:
        fault: One of what `pydantic.ValidationError.errors` gives.

    >>> fault_text({"loc": (0, "reason", "zh"), "type": "missing", "msg": "Field required"}).en
    'entry 1, reason, zh is missing'
    """
    place = _place(fault["loc"])
    told = _TOLD.get(fault["type"])
    if told is None:
        return Text(f"{place.en}: {fault['msg']}", f"{place.zh}：取值不符合要求")
    return Text(f"{place.en} {told.en}", f"{place.zh}{told.zh}")
