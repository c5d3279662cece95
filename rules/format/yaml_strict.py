"""YAML read strictly: one spelling for each value, bounded, with the line of everything.

Built on PyYAML's event stream instead of its constructors, so that anchors, tags and deep nesting
are refused before anything is built from them.

Source: docs/spec/pack-format.md, PF-3.
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import yaml

from carnet.core.canonical import INTEGER_MAX
from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.rules.format.hostile import deceptive_name

DEPTH_MAX = 16
FILE_SIZE_MAX = 1024 * 1024
NODES_MAX = 200_000
SCALAR_SIZE_MAX = 64 * 1024
"""Characters of one value; what readers take for a text is far shorter."""

# The C parser yields the same events some ten times faster; a build of PyYAML may lack it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+|\+[0-9]+|[-+]?[0-9]+(?:_[0-9]+)+|0[xo][0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
)
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Controls of direction, and those that a terminal obeys when they are written as an escape: a
# reviewer would read another text than the program.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# YAML begins a new line where editors show none: a key could hide in what looks like a comment.
_HIDDEN_BREAK = re.compile(r"\r(?!\n)|[\x85\u2028\u2029]")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_INTEGER_TEXT_MAX = 17


def has_control(text: str) -> bool:
    r"""Return whether a text holds a character that no text of a pack may hold.

    >>> has_control("one\ntwo"), has_control("one\rtwo")
    (False, True)
    """
    return _CONTROL.search(text) is not None


class LocatedDict(dict[str, Any]):
    """A mapping that knows its line and the line of each key."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


class LocatedList(list[Any]):
    """A sequence that knows its line and the line of each item."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []


class _Reader:
    """Builds the value of one document from its events."""

    def __init__(self, path: str, events: Iterator[Any]) -> None:
        self.path = path
        self.events = events
        self.nodes = 0

    def refuse(self, line: int, en: str, zh: str, hint: Text | None = None) -> RulePackError:
        return RulePackError(
            "CRN-R-002",
            Text(f"{self.path}:{line}: {en}.", f"{self.path}:{line}：{zh}。"),
            hint or Text("", ""),
            path=self.path,
            line=line,
        )

    def next(self) -> Any:
        return next(self.events)

    def value(self, event: Any, depth: int) -> Any:
        line = event.start_mark.line + 1
        self._check_event(event, line, depth)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, line)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(line, depth)
        return self._mapping(line, depth)

    def _check_event(self, event: Any, line: int, depth: int) -> None:
        self.nodes += 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self.refuse(
                line,
                "anchors and aliases are not allowed",
                "不允许使用锚点和别名",
                Text("Write the value out.", "请直接写出该值。"),
            )
        if event.tag is not None:
            raise self.refuse(
                line, f"the tag {event.tag} is not allowed", f"不允许使用标签 {event.tag}"
            )
        if depth > DEPTH_MAX:
            raise self.refuse(
                line, f"nesting is deeper than {DEPTH_MAX}", f"嵌套超过 {DEPTH_MAX} 层"
            )
        if self.nodes > NODES_MAX:
            raise self.refuse(line, f"more than {NODES_MAX} values", f"值的数量超过 {NODES_MAX}")

    def _sequence(self, line: int, depth: int) -> LocatedList:
        result = LocatedList(line)
        event = self.next()
        while not isinstance(event, yaml.SequenceEndEvent):
            result.lines.append(event.start_mark.line + 1)
            result.append(self.value(event, depth + 1))
            event = self.next()
        return result

    def _mapping(self, line: int, depth: int) -> LocatedDict:
        result = LocatedDict(line)
        event = self.next()
        while not isinstance(event, yaml.MappingEndEvent):
            at = event.start_mark.line + 1
            key = event.value if isinstance(event, yaml.ScalarEvent) else None
            if key is None or event.tag is not None or event.anchor is not None:
                raise self.refuse(at, "a key must be plain text", "键必须是普通文本")
            if not key.isascii():
                raise self._foreign_key(key, at)
            if key in result:
                first = result.lines[key]
                raise self.refuse(
                    at,
                    f"the key {key!r} stands twice (first in line {first})",
                    f"键 {key!r} 重复（首次出现在第 {first} 行）",
                )
            result.lines[key] = at
            result[key] = self.value(self.next(), depth + 1)
            event = self.next()
        return result

    def _foreign_key(self, key: str, line: int) -> RulePackError:
        reason = deceptive_name(key) or Text("is not ASCII", "不是 ASCII")
        return self.refuse(line, f"the key {key!r:.80} {reason.en}", f"键 {key!r:.80} {reason.zh}")

    def _scalar(self, event: Any, line: int) -> str | int | bool | date:
        text: str = event.value
        if len(text) > SCALAR_SIZE_MAX:
            raise RulePackError(
                "CRN-R-003",
                Text(
                    f"{self.path}:{line}: a value has {len(text)} characters; at most"
                    f" {SCALAR_SIZE_MAX} are read.",
                    f"{self.path}:{line}：某值有 {len(text)} 个字符；上限为 {SCALAR_SIZE_MAX}。",
                ),
                path=self.path,
                line=line,
            )
        if has_control(text):
            raise self.refuse(
                line,
                "a control character, such as a carriage return or one that turns the direction of"
                " the text",
                "含有控制字符，例如回车符或改变文字方向的字符",
                Text("Take it out: a reader sees another text.", "请删除：读者看到的文字会不同。"),
            )
        # Plain style is None in the Python parser and "" in the C parser.
        if event.style:
            return text
        if text in {"true", "false"}:
            return text == "true"
        if _DATE.fullmatch(text):
            return self._date(text, line)
        if _INTEGER.fullmatch(text):
            return self._integer(text, line)
        self._refuse_ambiguous(text, line)
        return text

    def _date(self, text: str, line: int) -> date:
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise self.refuse(
                line, f"{text} is not a date of the calendar", f"{text} 不是有效日期"
            ) from None

    def _integer(self, text: str, line: int) -> int:
        if len(text) > _INTEGER_TEXT_MAX or abs(int(text)) > INTEGER_MAX:
            raise self.refuse(
                line, f"the integer {text[:40]} is beyond 2^53 - 1", f"整数 {text[:40]} 超出 2^53-1"
            )
        return int(text)

    def _refuse_ambiguous(self, text: str, line: int) -> None:
        quote = Text(
            f'If it is text, quote it: "{text[:40]}".', f'如为文本，请加引号："{text[:40]}"。'
        )
        if text in _NULLS:
            raise self.refuse(
                line,
                "a value is missing (null)",
                "缺少值（null）",
                Text("Write the value or leave the key out.", "请填写该值，或删去该键。"),
            )
        if _FLOAT.fullmatch(text) or _SPECIAL_FLOAT.fullmatch(text):
            raise self.refuse(
                line,
                f"{text[:40]} is not an integer; fractions are not allowed",
                f"{text[:40]} 不是整数；不允许小数",
                quote,
            )
        if _LEADING_ZERO.fullmatch(text):
            raise self.refuse(
                line,
                f"{text[:40]} is not a plain decimal integer",
                f"{text[:40]} 不是普通十进制整数",
                quote,
            )


def parse_yaml(data: bytes, path: str) -> Any:
    """Return the value of one YAML document: dicts and lists with lines, scalars, dates.

    Args:
        data: The file's bytes.
        path: Its name in messages, relative to the pack.

    Raises:
        RulePackError: The document is not in the strict profile; the message names the line.
    """
    return parse_counted(data, path)[0]


def parse_counted(data: bytes, path: str) -> tuple[Any, int]:
    """Return the value of one YAML document and how many values it holds.

    Args:
        data: The file's bytes.
        path: Its name in messages, relative to the pack.

    Raises:
        RulePackError: The document is not in the strict profile; the message names the line.
    """
    if len(data) > FILE_SIZE_MAX:
        raise RulePackError(
            "CRN-R-003",
            Text(
                f"{path} has {len(data)} bytes; at most {FILE_SIZE_MAX} are read.",
                f"{path} 有 {len(data)} 字节；上限为 {FILE_SIZE_MAX}。",
            ),
            path=path,
        )
    reader = _Reader(path, iter(()))
    try:
        text = data.decode("utf-8")
        _check_breaks(text, reader)
        reader.events = yaml.parse(text, Loader=_LOADER)
        return _document(reader), reader.nodes
    except UnicodeDecodeError as error:
        raise reader.refuse(1, "the file is not UTF-8 text", "文件不是 UTF-8 文本") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or error).splitlines()[0][:200]
        raise reader.refuse(
            mark.line + 1 if mark else 1, f"not YAML: {problem}", f"不是 YAML：{problem}"
        ) from error


def _check_breaks(text: str, reader: _Reader) -> None:
    found = _HIDDEN_BREAK.search(text)
    if found is not None:
        line, sign = text.count("\n", 0, found.start()) + 1, f"U+{ord(found[0]):04X}"
        raise reader.refuse(
            line,
            f"a line ends with {sign}, where editors show no line break",
            f"有一行以 {sign} 换行，而编辑器不显示该换行",
            Text("End lines with LF or CR LF.", "请以 LF 或 CR LF 换行。"),
        )


def _document(reader: _Reader) -> Any:
    reader.next()
    first = reader.next()
    if isinstance(first, yaml.StreamEndEvent):
        raise reader.refuse(1, "the file is empty", "文件为空")
    value = reader.value(reader.next(), 0)
    reader.next()
    last = reader.next()
    if not isinstance(last, yaml.StreamEndEvent):
        raise reader.refuse(last.start_mark.line + 1, "a second document begins", "出现第二个文档")
    return value
