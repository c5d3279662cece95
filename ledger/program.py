"""Programs of shapes: a description becomes one function that says yes or no.

A shape made of functions calls one for every member of a document, which takes longer than what
most members ask. So its description, which the verify page reads too, is written out as the source
of a single function. The source comes from the descriptions of this package alone, never from a
document: what a document holds is only compared.

Where a value has another type than the program expects, TypeError, KeyError and ValueError say no:
it has no such member, fits no pattern, is in no set and is no hex.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Accepts = Callable[[Any], bool]
Matches = Callable[[str], object]
Description = list[Any]

DIGEST_LENGTH: Final = 64
DIGEST_PATTERN: Final = rf"[0-9a-f]{{{DIGEST_LENGTH}}}"

_MISSING: Final = object()
_NAME: Final = "accepts"


def matching(pattern: str, length_max: int) -> Matches:
    """Return the function that matches strings in full, of a length at most.

    Args:
        pattern: In the part of the syntax that Python and JavaScript share.
        length_max: In characters.
    """
    # Any character at all, in the way that Python repeats without looking at each.
    quick = pattern.replace(r"[\s\S]", "(?s:.)")
    return re.compile(rf"(?=(?s:.{{0,{length_max}}})\Z)(?:{quick})").fullmatch


def are_digests(values: list[Any]) -> bool:
    """Return whether all of a list are digests in hex; proofs have many."""
    joined = "".join(values)
    is_each = {DIGEST_LENGTH}.issuperset(map(len, values))
    return is_each and bytes.fromhex(joined).hex() == joined


def compiled(description: Description, tests: Mapping[str, Accepts]) -> Accepts:
    """Return the program of a shape.

    Args:
        description: Of the shape.
        tests: The tests that it names.
    """
    source = _Source(tests)
    source.write(description, "value", 1)
    source.line(1, "return True")
    text = "\n".join([f"def {_NAME}(value):", *source.lines])
    # Names of members are written as constants, and nothing in the text is from a document.
    exec(text, source.names)  # noqa: S102 - see above
    holds = source.names[_NAME]

    def accepts(value: Any) -> bool:
        try:
            return holds(value)  # type: ignore[no-any-return]  # it returns True or False
        except (TypeError, KeyError, ValueError):
            return False

    return accepts


@dataclass(slots=True)
class _Source:
    """The source of a program as it is written, and the values that it names."""

    tests: Mapping[str, Accepts]
    lines: list[str] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=lambda: {"MISSING": _MISSING})
    count: int = 0

    def line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def refuse_if(self, depth: int, condition: str) -> None:
        self.line(depth, f"if {condition}: return False")

    def new_name(self) -> str:
        self.count += 1
        return f"n{self.count}"

    def constant(self, value: object) -> str:
        name = self.new_name()
        self.names[name] = value
        return name

    def write(self, description: Description, value: str, depth: int) -> None:
        """Write what refuses the value of a variable that does not have a shape."""
        match description:
            case ["nullable", inner]:
                self.line(depth, f"if {value} is not None:")
                self.write(inner, value, depth + 1)
            case ["array", item, length_max, is_set]:
                self._write_array(item, value, depth, length_max)
                if is_set:
                    self.refuse_if(depth, f"{value} != sorted(set({value}))")
            case ["table", key_pattern, item, length_max]:
                self._write_table(key_pattern, item, value, depth, length_max)
            case ["object", required, optional]:
                self._write_object(required, optional, value, depth)
            case _:
                self.refuse_if(depth, self._fault(description, value))

    def _fault(self, description: Description, value: str) -> str:
        """Return the condition under which a value without parts does not have a shape."""
        match description:
            case ["text", pattern, length_max, *_]:
                return f"{self.constant(matching(pattern, length_max))}({value}) is None"
            case ["choice", known]:
                return f"{value} not in {self.constant(frozenset(known))}"
            case ["integer", least, most]:
                is_integer = f"isinstance({value}, int) and not isinstance({value}, bool)"
                return f"not ({is_integer} and {least} <= {value} <= {most})"
            case ["exactly", expected]:
                kind, known = self.constant(type(expected)), self.constant(expected)
                return f"type({value}) is not {kind} or {value} != {known}"
            case ["where", name, *_]:
                return f"not (isinstance({value}, str) and {self._test(name)}({value}))"
            case ["named", name]:
                return f"not {self._test(name)}({value})"
            case _:
                message = f"no shape is described by {description[:1]}"
                raise AssertionError(message)

    def _test(self, name: str) -> str:
        return self.constant(self.tests[name])

    def _write_array(self, item: Description, value: str, depth: int, length_max: int) -> None:
        self.refuse_if(depth, f"not isinstance({value}, list) or len({value}) > {length_max}")
        if item[:2] == ["text", DIGEST_PATTERN]:
            self.refuse_if(depth, f"not {self.constant(are_digests)}({value})")
            return
        each = self.new_name()
        self.line(depth, f"for {each} in {value}:")
        self.write(item, each, depth + 1)

    def _write_table(
        self, key_pattern: str, item: Description, value: str, depth: int, length_max: int
    ) -> None:
        key, each = self.new_name(), self.new_name()
        matches = self.constant(re.compile(key_pattern).fullmatch)
        self.refuse_if(depth, f"not isinstance({value}, dict) or len({value}) > {length_max}")
        self.line(depth, f"for {key}, {each} in {value}.items():")
        self.refuse_if(depth + 1, f"{matches}({key}) is None")
        self.write(item, each, depth + 1)

    def _write_object(
        self,
        required: Mapping[str, Description],
        optional: Mapping[str, Description],
        value: str,
        depth: int,
    ) -> None:
        """Write what takes every known member; one more in number is one that is not known."""
        count = self.new_name()
        self.refuse_if(depth, f"not isinstance({value}, dict)")
        self.line(depth, f"{count} = {len(required)}")
        for name, item in required.items():
            each = self.new_name()
            self.line(depth, f"{each} = {value}[{name!r}]")
            self.write(item, each, depth)
        for name, item in optional.items():
            each = self.new_name()
            self.line(depth, f"{each} = {value}.get({name!r}, MISSING)")
            self.line(depth, f"if {each} is not MISSING:")
            self.line(depth + 1, f"{count} += 1")
            self.write(item, each, depth + 1)
        self.refuse_if(depth, f"len({value}) != {count}")
