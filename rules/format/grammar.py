"""The grammar of lines and values, and what to say about text that does not follow it.

Source: docs/spec/pack-format.md, PF-8.
"""

from functools import cache, lru_cache
from typing import Any, cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from carnet.core.text import Text
from carnet.rules.format.hostile import calls_pattern, count_operations, pattern_refusal

TEXT_SIZE_MAX = 1024
"""Bytes of one line, and of one string in it."""
OPERATIONS_MAX = 32
"""Signs of arithmetic in one line; what looking at it takes grows with their square."""

_GRAMMAR = r"""
line: condition ("||" condition)*
condition: sum COMPARE sum -> comparison
    | sum "in" items -> member
    | "!" "(" sum "in" items ")" -> not_member
    | "!" primary -> not_truth
    | sum -> truth
?sum: product (SIGN product)*
?product: unary (STAR unary)*
?unary: primary
    | SIGN unary -> negative
?primary: INTEGER -> integer
    | STRING -> string
    | "true" -> true
    | "false" -> false
    | path
    | NAME "(" [sum ("," sum)*] ")" -> call
    | "(" sum ")" -> group
path: NAME ("." NAME)*
items: "[" [sum ("," sum)*] "]" -> list
    | NAME "(" [sum ("," sum)*] ")" -> call
    | path
COMPARE: "==" | "!=" | "<=" | ">=" | "<" | ">"
SIGN: "+" | "-"
STAR: "*"
INTEGER: /0|[1-9][0-9]*/
STRING: /"(?:[^"\\\x00-\x1f]|\\["\\])*"/
NAME: /[a-z][a-z0-9_]*/
%ignore /[ \t]+/
"""


class ExpressionError(ValueError):
    """A line that cannot be used; the reader of the pack adds file and line."""

    def __init__(self, message: Text, hint: Text | None = None, *, code: str = "CRN-R-011") -> None:
        super().__init__(message.en)
        self.message = message
        self.hint = hint or Text("", "")
        self.code = code


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", start=["line", "sum"], maybe_placeholders=False)


def _syntax_fault(text: str, error: UnexpectedInput) -> ExpressionError:
    if isinstance(error, UnexpectedEOF) or (
        isinstance(error, UnexpectedToken) and error.token.type == "$END"
    ):
        found, column = Text("the line ends too early", "该行过早结束"), len(text)
    elif isinstance(error, UnexpectedCharacters):
        column = error.column
        shown = text[column - 1 : column + 9]
        found = Text(f"{shown!r} is not understood", f"无法识别 {shown!r}")
    else:
        column = cast("Any", error).column
        shown = str(getattr(error, "token", ""))
        found = Text(f"{shown!r} does not fit here", f"此处不应出现 {shown!r}")
    return ExpressionError(
        Text(
            f"Cannot read the line {text!r}: {found.en} (column {column}).",
            f"无法解析 {text!r}：{found.zh}（第 {column} 列）。",
        ),
        Text(
            'Write one comparison, such as c.kind == "eu_doc"; see docs/spec/pack-format.md, PF-8.',
            '请写成一个比较，例如 c.kind == "eu_doc"；见 docs/spec/pack-format.md PF-8。',
        ),
    )


@lru_cache(maxsize=8192)
def parse_tree(text: str, start: str) -> Tree[Token]:
    """Return the tree of a line or of a value.

    Raises:
        ExpressionError: The text does not follow the grammar.
    """
    if len(text.encode()) > TEXT_SIZE_MAX:
        raise ExpressionError(
            Text(
                f"The line is longer than {TEXT_SIZE_MAX} bytes.",
                f"该行超过 {TEXT_SIZE_MAX} 字节。",
            )
        )
    if count_operations(text) > OPERATIONS_MAX:
        raise ExpressionError(
            Text(
                f"The line has more than {OPERATIONS_MAX} operations.",
                f"该行的运算超过 {OPERATIONS_MAX} 个。",
            ),
            Text("Compute parts of it as measures.", "请将其中一部分定义为指标。"),
        )
    if calls_pattern(text):
        raise ExpressionError(*pattern_refusal(), code="CRN-R-004")
    try:
        return _parser().parse(text, start=start)
    except UnexpectedInput as error:
        raise _syntax_fault(text, error) from None
    except RecursionError:
        raise ExpressionError(Text("The line is nested too deeply.", "该行嵌套过深。")) from None
