"""Reading one mapping of a pack by a closed list of keys, with file and line in every error."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.rules.format.hostile import deceptive_name
from carnet.rules.format.yaml_strict import LocatedDict, LocatedList

IDENTIFIER = re.compile(r"[a-z][a-z0-9-]{0,63}")
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
VERSION = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6}){0,3}")
STRING_SIZE_MAX = 1024
_TYPES: dict[type, Text] = {
    str: Text("a text", "文本"),
    int: Text("an integer", "整数"),
    date: Text("a date YYYY-MM-DD", "日期 YYYY-MM-DD"),
    LocatedDict: Text("a mapping", "映射"),
    LocatedList: Text("a list", "列表"),
}


def defect(
    code: str, file: str, line: int, message: Text, hint: Text | None = None
) -> RulePackError:
    """Return an error that names its file and line."""
    return RulePackError(
        code,
        Text(f"{file}:{line}: {message.en}", f"{file}:{line}：{message.zh}"),
        hint or Text("", ""),
        path=file,
        line=line,
    )


class Section:
    """One mapping of a pack; `close` refuses keys that nobody read.

    Every reader raises RulePackError, at its line, for what is missing or not of the kind asked.
    """

    def __init__(self, value: Any, file: str, line: int, what: str) -> None:
        self.file = file
        self.what = what
        self.line = value.line if isinstance(value, LocatedDict) else line
        if not isinstance(value, LocatedDict):
            raise self.fault(Text(f"{what} must be a mapping.", f"{what} 须为映射。"), line=line)
        self.data = value
        self._read: set[str] = set()

    def fault(
        self, message: Text, hint: Text | None = None, *, line: int | None = None
    ) -> RulePackError:
        """Return an error at this section or at one of its lines."""
        return defect("CRN-R-010", self.file, line or self.line, message, hint)

    def refusal(
        self, message: Text, hint: Text | None = None, *, line: int | None = None
    ) -> RulePackError:
        """Return an error that refuses the whole pack, at this section or at one of its lines."""
        return defect("CRN-R-004", self.file, line or self.line, message, hint)

    def line_of(self, key: str) -> int:
        """Return the line of a key."""
        return self.data.lines.get(key, self.line)

    def has(self, key: str) -> bool:
        """Return whether the key is there."""
        return key in self.data

    def _get(self, key: str, kind: type) -> Any:
        self._read.add(key)
        if key not in self.data:
            raise self.fault(
                Text(f"{self.what} lacks the key {key!r}.", f"{self.what} 缺少键 {key!r}。")
            )
        value = self.data[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            name = _TYPES[kind]
            raise self.fault(
                Text(
                    f"{key!r} of {self.what} must be {name.en}, not {value!r:.60}.",
                    f"{self.what} 的 {key!r} 须为{name.zh}，而非 {value!r:.60}。",
                ),
                Text("Put numbers that are text in quotes.", "作为文本的数字请加引号。")
                if kind is str
                else None,
                line=self.line_of(key),
            )
        return value

    def string(self, key: str) -> str:
        """Return a text of at most 1,024 bytes."""
        value: str = self._get(key, str)
        if len(value.encode("utf-8", "replace")) > STRING_SIZE_MAX:
            raise self.fault(
                Text(
                    f"{key!r} is longer than {STRING_SIZE_MAX} bytes.",
                    f"{key!r} 超过 {STRING_SIZE_MAX} 字节。",
                ),
                line=self.line_of(key),
            )
        return value

    def matching(self, key: str, pattern: re.Pattern[str]) -> str:
        """Return a text of one form."""
        value = self.string(key)
        if not pattern.fullmatch(value):
            self._refuse_deception(key, value)
            raise self.fault(
                Text(
                    f"{key!r} is {value!r}; expected the form {pattern.pattern}.",
                    f"{key!r} 为 {value!r}；应符合 {pattern.pattern}。",
                ),
                line=self.line_of(key),
            )
        return value

    def _refuse_deception(self, key: str, name: str) -> None:
        """Refuse a name that is no honest mistake."""
        reason = deceptive_name(name)
        if reason is not None:
            raise self.refusal(
                Text(f"The name {name!r:.80} {reason.en}.", f"名称 {name!r:.80} {reason.zh}。"),
                Text("Write it in plain ASCII letters.", "请使用普通 ASCII 字母书写。"),
                line=self.line_of(key),
            )

    def one_of(self, key: str, choices: tuple[str, ...]) -> str:
        """Return a text of a closed list."""
        value = self.string(key)
        if value not in choices:
            raise self.fault(
                Text(
                    f"{key!r} is {value!r}; expected one of {', '.join(choices)}.",
                    f"{key!r} 为 {value!r}；应为 {'、'.join(choices)} 之一。",
                ),
                line=self.line_of(key),
            )
        return value

    def integer(self, key: str, least: int, most: int) -> int:
        """Return an integer of a range."""
        value: int = self._get(key, int)
        if not least <= value <= most:
            raise self.fault(
                Text(
                    f"{key!r} is not in {least} to {most}.",
                    f"{key!r} 不在 {least} 至 {most} 之间。",
                ),
                line=self.line_of(key),
            )
        return value

    def day(self, key: str) -> date:
        """Return a date."""
        value: date = self._get(key, date)
        return value

    def day_or_none(self, key: str) -> date | None:
        """Return a date that may be left out."""
        return self.day(key) if self.has(key) else None

    def any(self, key: str) -> Any:
        """Return what stands under a key, of any type."""
        self._read.add(key)
        if key not in self.data:
            raise self.fault(
                Text(f"{self.what} lacks the key {key!r}.", f"{self.what} 缺少键 {key!r}。")
            )
        return self.data[key]

    def section(self, key: str) -> "Section":
        """Return a mapping inside."""
        return Section(self._get(key, LocatedDict), self.file, self.line_of(key), f"{key!r}")

    def text(self, key: str) -> Text:
        """Return a text in both languages."""
        return read_text(self.section(key))

    def items(self, key: str, most: int) -> Iterator[tuple[Any, int]]:
        """Yield the items of a list with their lines; an absent list is empty."""
        if not self.has(key):
            self._read.add(key)
            return
        values: LocatedList = self._get(key, LocatedList)
        if len(values) > most:
            raise defect(
                "CRN-R-003",
                self.file,
                self.line_of(key),
                Text(
                    f"{key!r} has {len(values)} items; at most {most} are allowed.",
                    f"{key!r} 有 {len(values)} 项；最多 {most} 项。",
                ),
            )
        yield from zip(values, values.lines, strict=True)

    def strings(self, key: str, most: int) -> tuple[str, ...]:
        """Return a list of texts."""
        result = []
        for value, line in self.items(key, most):
            if not isinstance(value, str):
                raise self.fault(
                    Text(
                        f"{key!r} lists texts, not {value!r:.60}.",
                        f"{key!r} 须为文本列表，而非 {value!r:.60}。",
                    ),
                    line=line,
                )
            result.append(value)
        return tuple(result)

    def close(self) -> None:
        """Refuse keys that nobody read.

        Raises:
            RulePackError: There is one.
        """
        for key in self.data:
            if key not in self._read:
                self._refuse_deception(key, key)
                known = ", ".join(sorted(self._read))
                raise self.fault(
                    Text(
                        f"{self.what} has the unknown key {key!r:.80}.",
                        f"{self.what} 含有未知键 {key!r:.80}。",
                    ),
                    Text(f"Known keys: {known}.", f"可用的键：{known}。"),
                    line=self.line_of(key),
                )


def read_text(section: Section) -> Text:
    """Return the text of an ``{en, zh}`` mapping.

    Raises:
        RulePackError: A language is missing or empty, or there is another key.
    """
    result = Text(section.string("en"), section.string("zh"))
    if not result.en.strip() or not result.zh.strip():
        raise section.fault(Text("A text is empty in one language.", "某一语言的文本为空。"))
    section.close()
    return result
