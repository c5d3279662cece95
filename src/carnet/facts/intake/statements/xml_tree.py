"""XML as a tree of elements with their lines, read without anything that XML could pull in.

A document type declaration refuses the file before anything in it counts, so there are no entities
to expand and nothing outside the file is ever opened. Depth, elements and text are bounded.

Source: W3C XML 1.0, fifth edition; OWASP XML External Entity Prevention.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from carnet.core.text import Text
from carnet.facts.intake.opening import FileRefusedError, check_utf8, refuse
from carnet.facts.issue import Found, Problem, shown

DEPTH_MAX: Final = 32
ELEMENTS_MAX: Final = 1_000_000
TEXT_MAX: Final = 64 * 1024
_WELL_FORMED = Text("well-formed XML in UTF-8", "格式良好的 UTF-8 XML")
_EXPORT = Text("Export the statement again.", "请重新导出对账单。")


class StatementError(Exception):
    """Something in a statement cannot be used.

    Args:
        problem: What, with the path of the element or the column.
        row: The line of the file.
    """

    def __init__(self, problem: Problem, row: int) -> None:
        super().__init__(str(problem.found))
        self.problem = problem
        self.row = row


@dataclass(slots=True, eq=False)
class Element:
    """One element.

    Args:
        name: Its local name.
        namespace: Its namespace, "" where it has none.
        line: The line of its start tag.
        attributes: Its attributes, by name.
        parent: The element it is in.
        place: Its number among the elements of its name in its parent, from 1.
    """

    name: str
    namespace: str
    line: int
    attributes: dict[str, str]
    parent: "Element | None"
    place: int
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    @property
    def path(self) -> str:
        """Where it stands, such as ``BkToCstmrStmt/Stmt[1]/Ntry[3]/Amt``."""
        parts: list[str] = []
        found: Element | None = self
        while found is not None and found.parent is not None:
            is_one = sum(one.name == found.name for one in found.parent.children) == 1
            parts.append(found.name if is_one else f"{found.name}[{found.place}]")
            found = found.parent
        return "/".join(reversed(parts)) or self.name

    def refuse(self, found: Found, expected: Text, remedy: Text = _EXPORT) -> StatementError:
        """Return the refusal of this element."""
        return StatementError(Problem(self.path, found, expected, remedy), self.line)

    def all(self, name: str) -> list["Element"]:
        """Return the children of a name."""
        return [child for child in self.children if child.name == name]

    def maybe(self, name: str) -> "Element | None":
        """Return the one child of a name, None where there is none.

        Raises:
            StatementError: There are several.
        """
        found = self.all(name)
        if len(found) > 1:
            raise found[1].refuse(
                Text(f"{len(found)} of {name}", f"{len(found)} 个 {name}"),
                Text(f"one {name} in {self.path}", f"{self.path} 中只有一个 {name}"),
            )
        return found[0] if found else None

    def one(self, name: str) -> "Element":
        """Return the one child of a name.

        Raises:
            StatementError: There is none, or there are several.
        """
        found = self.maybe(name)
        if found is None:
            raise self.refuse(
                Text(f"no {name}", f"没有 {name}"),
                Text(f"an element {name} in {self.path}", f"{self.path} 中有元素 {name}"),
            )
        return found

    def at(self, path: str) -> "Element | None":
        """Return the element at a path of single names, None where a step is not there.

        Raises:
            StatementError: A step is there several times.
        """
        found: Element | None = self
        for name in path.split("/"):
            found = found.maybe(name) if found is not None else None
        return found

    def known(self, names: Collection[str]) -> None:
        """Check that every child has a name that the standard has here.

        Raises:
            StatementError: One has another.
        """
        for child in self.children:
            if child.name not in names:
                raise child.refuse(
                    shown(child.name),
                    Text(
                        f"an element that ISO 20022 has in {self.name}",
                        f"ISO 20022 在 {self.name} 中规定的元素",
                    ),
                )


def _refuse_prolog(what: Text) -> FileRefusedError:
    return refuse(
        what,
        Text("XML without declarations of types and entities", "不含类型声明和实体声明的 XML"),
        Text(
            "Statements need none: ask whoever made the file for a plain one.",
            "对账单不需要这些声明：请向文件提供方索取不含声明的文件。",
        ),
    )


class _Builder:
    """Builds the tree while the parser reads."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._counts: list[dict[str, int]] = [{}]
        self._texts: list[list[str]] = [[]]
        self._text_sizes = [0]
        self._size = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.XmlDeclHandler = self._declaration
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.EntityDeclHandler = self._entity
        self.parser.ExternalEntityRefHandler = self._external
        self.parser.ProcessingInstructionHandler = self._instruction

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.upper() != "UTF-8":
            raise refuse(
                shown(encoding),
                _WELL_FORMED,
                Text("Ask for the file in UTF-8.", "请索取 UTF-8 编码的文件。"),
            )

    def _doctype(self, *_: object) -> None:
        raise _refuse_prolog(Text("a document type declaration", "文档类型声明"))

    def _entity(self, *_: object) -> None:
        raise _refuse_prolog(Text("a declaration of an entity", "实体声明"))

    def _external(self, *_: object) -> int:
        raise _refuse_prolog(Text("an external entity", "外部实体"))

    def _instruction(self, *_: object) -> None:
        raise _refuse_prolog(Text("a processing instruction", "处理指令"))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._size += 1
        if self._size > ELEMENTS_MAX or len(self._open) >= DEPTH_MAX:
            raise refuse(
                Text("too many or too deeply nested elements", "元素过多或嵌套过深"),
                Text(
                    f"at most {ELEMENTS_MAX} elements, nested {DEPTH_MAX} deep",
                    f"元素不超过 {ELEMENTS_MAX} 个，嵌套不超过 {DEPTH_MAX} 层",
                ),
                Text("Split the statement by days.", "请按日拆分对账单。"),
            )
        namespace, _, local = name.rpartition(" ")
        parent = self._open[-1] if self._open else None
        counts = self._counts[-1]
        counts[local] = counts.get(local, 0) + 1
        line = self.parser.CurrentLineNumber
        element = Element(local, namespace, line, attributes, parent, counts[local])
        if parent is None:
            self.root = element
        else:
            parent.children.append(element)
        self._open.append(element)
        self._counts.append({})
        self._texts.append([])
        self._text_sizes.append(0)

    def _characters(self, text: str) -> None:
        # Blanks between elements are no text: a long list of entries may be indented.
        if text.isspace() and self._open and self._open[-1].children:
            return
        self._texts[-1].append(text)
        self._text_sizes[-1] += len(text)
        if self._text_sizes[-1] > TEXT_MAX:
            raise refuse(
                Text("a text that is too long", "文本过长"),
                Text(f"at most {TEXT_MAX} characters", f"不超过 {TEXT_MAX} 个字符"),
                _EXPORT,
            )

    def _end(self, _name: str) -> None:
        element = self._open.pop()
        self._counts.pop()
        self._text_sizes.pop()
        element.text = "".join(self._texts.pop())


def read_tree(data: bytes) -> Element:
    """Return the root element of a document.

    Raises:
        FileRefusedError: It is not well-formed XML in UTF-8, declares types or entities, or is too
            large.
        StatementError: An element holds both text and elements, or elements of several namespaces.
    """
    builder = _Builder()
    try:
        builder.parser.Parse(check_utf8(data), True)  # noqa: FBT003 - the parser's own signature
    except expat.ExpatError as error:
        line = error.lineno
        raise refuse(
            Text(
                f"line {line}: {expat.ErrorString(error.code)}",
                f"第 {line} 行：{expat.ErrorString(error.code)}",
            ),
            _WELL_FORMED,
            _EXPORT,
        ) from None
    assert builder.root is not None, "a well-formed document has a root"
    for element in _walk(builder.root):
        _check_element(element, builder.root.namespace)
    return builder.root


def _walk(root: Element) -> Iterator[Element]:
    waiting = [root]
    while waiting:
        element = waiting.pop()
        yield element
        waiting += element.children


# What follows SplmtryData is of other standards: it may have namespaces of its own.
_FOREIGN: Final = "SplmtryData"


def _is_foreign(element: Element) -> bool:
    found: Element | None = element
    while found is not None:
        if found.name == _FOREIGN:
            return True
        found = found.parent
    return False


def _check_element(element: Element, namespace: str) -> None:
    if element.children and element.text.strip():
        raise element.refuse(
            shown(element.text.strip()),
            Text("elements alone, without text between them", "仅含元素，元素之间没有文本"),
        )
    if element.namespace != namespace and not _is_foreign(element):
        raise element.refuse(
            shown(element.namespace),
            Text(f"an element of {namespace}", f"命名空间 {namespace} 的元素"),
        )
