"""Checks between the fields of one fact, as data that models name and pages print."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carnet.core.text import Text


@dataclass(frozen=True, slots=True)
class NotBefore:
    """The later field, where both are present, is not before the earlier one."""

    earlier: str
    later: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields concerned; the last is the one reported."""
        return (self.earlier, self.later)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether the values pass."""
        earlier, later = values[self.earlier], values[self.later]
        return earlier is None or later is None or bool(earlier <= later)

    def expected(self) -> Text:
        """Return what is expected, in words."""
        return Text(
            f"{self.later} not before {self.earlier}", f"{self.later} 不早于 {self.earlier}"
        )


@dataclass(frozen=True, slots=True)
class NotAbove:
    """A part is not above its whole."""

    whole: str
    part: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields concerned; the last is the one reported."""
        return (self.whole, self.part)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether the values pass."""
        return bool(values[self.part] <= values[self.whole])

    def expected(self) -> Text:
        """Return what is expected, in words."""
        return Text(f"{self.part} not above {self.whole}", f"{self.part} 不大于 {self.whole}")


@dataclass(frozen=True, slots=True)
class ExactlyOne:
    """Of two fields one is present and the other absent."""

    first: str
    second: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields concerned; the last is the one reported."""
        return (self.second, self.first)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether the values pass."""
        return (values[self.first] is None) != (values[self.second] is None)

    def expected(self) -> Text:
        """Return what is expected, in words."""
        return Text(
            f"either {self.first} or {self.second}, not both",
            f"{self.first} 与 {self.second} 二者填一",
        )


@dataclass(frozen=True, slots=True)
class Different:
    """Two fields do not hold the same value."""

    first: str
    second: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields concerned; the last is the one reported."""
        return (self.first, self.second)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether the values pass."""
        return bool(values[self.first] != values[self.second])

    def expected(self) -> Text:
        """Return what is expected, in words."""
        return Text(f"{self.second} other than {self.first}", f"{self.second} 与 {self.first} 不同")


@dataclass(frozen=True, slots=True)
class Follows:
    """One field has the value that another one's value asks for.

    Args:
        first: The field that decides.
        second: The field that follows.
        pairs: Values of the first, each with that of the second.
    """

    first: str
    second: str
    pairs: tuple[tuple[str, str], ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields concerned; the last is the one reported."""
        return (self.first, self.second)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether the values pass."""
        return (values[self.first], values[self.second]) in self.pairs

    def expected(self) -> Text:
        """Return what is expected, in words."""
        told = ", ".join(f"{second} with {first}" for first, second in self.pairs)
        told_zh = "、".join(f"{first} 对应 {second}" for first, second in self.pairs)
        return Text(
            f"the {self.second} that goes with {self.first}: {told}",
            f"与 {self.first} 相应的 {self.second}：{told_zh}",
        )


@dataclass(frozen=True, slots=True)
class PresentWith:
    """A field is present where another one has a certain value, and only there.

    Args:
        first: The field that decides.
        value: Its value.
        second: The field that is present with it.
    """

    first: str
    value: str
    second: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields concerned; the last is the one reported."""
        return (self.first, self.second)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether the values pass."""
        is_asked_for = bool(values[self.first] == self.value)
        return is_asked_for == (values[self.second] is not None)

    def expected(self) -> Text:
        """Return what is expected, in words."""
        return Text(
            f"{self.second} where {self.first} is {self.value}, and only there",
            f"{self.first} 为 {self.value} 时须有 {self.second}，其他情形不得有",
        )


CrossCheck = NotBefore | NotAbove | ExactlyOne | Different | Follows | PresentWith
