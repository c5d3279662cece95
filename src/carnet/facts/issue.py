"""What is wrong with an input, where, what was expected and what to do: all of it at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, TypeAlias

from carnet.core.errors import InputError
from carnet.core.text import Text

Found: TypeAlias = str | Text
"""A value as it stands in the input, or words about it in both languages."""

FOUND_LENGTH_MAX = 80
"""Characters of a value that a message shows."""

PROBLEMS_READ_MAX = 10_000
"""Problems after which reading stops: the input is of another kind altogether."""


_ROW = Text("row", "行")
_LINE = Text("line", "行")
_COUNTED = {
    ".json": Text("fact", "条事实"),
    ".ndjson": _LINE,
    ".jsonl": _LINE,
    ".xml": _LINE,
}
"""What the number of a row counts, by the ending of the file's name."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact stands.

    Args:
        file: The file as it was named; a sheet follows after "#".
        row: Counted from 1: the row as a spreadsheet shows it (the header is row 1), the line of
            an NDJSON file, the place in the list `facts` of a JSON file; None for the file as a
            whole.
    """

    file: str
    row: int | None = None

    def __str__(self) -> str:
        return self.file if self.row is None else f"{self.file}:{self.row}"

    @property
    def label(self) -> str:
        """The same without folders: what the field `source` of a fact says."""
        return str(self).rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, without the place: see `Issue`."""

    column: str | None
    found: Found
    expected: Text
    remedy: Text


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong in an input.

    Args:
        file: The file, with its sheet.
        row: Its row, line or place, as in `Source`; None for the file as a whole.
        column: The column or field; None for the row as a whole.
        found: The value found, shortened, or words about it.
        expected: What was expected.
        remedy: What to do.
        found_zh: The words in Chinese, where there are words.
    """

    file: str
    row: int | None
    column: str | None
    found: str
    expected: Text
    remedy: Text
    found_zh: str = ""

    @classmethod
    def at(cls, source: Source, problem: Problem) -> "Issue":
        """Return a problem with its place."""
        return cls(
            source.file,
            source.row,
            problem.column,
            str(problem.found),
            problem.expected,
            problem.remedy,
            problem.found.zh if isinstance(problem.found, Text) else "",
        )

    @property
    def problem(self) -> Problem:
        """The same without its place."""
        found = Text(self.found, self.found_zh) if self.found_zh else self.found
        return Problem(self.column, found, self.expected, self.remedy)

    def message(self) -> Text:
        """Return the issue as one line of text."""
        counted = _COUNTED.get(PurePath(self.file).suffix.lower(), _ROW)
        row = "" if self.row is None else f", {counted.en} {self.row}"
        row_zh = "" if self.row is None else f"，第 {self.row} {counted.zh}"
        column, column_zh = self._place()
        return Text(
            f"{self.file}{row}{column}: found {self.found or 'nothing'}; expected"
            f" {self.expected.en}. {self.remedy.en}",
            f"{self.file}{row_zh}{column_zh}：实际为 {self.found_zh or self.found or '空'}；"
            f"应为：{self.expected.zh}。{self.remedy.zh}",
        )

    def _place(self) -> tuple[str, str]:
        """Return the words for a column, or for a JSON path, which begins with a dollar sign."""
        if self.column is None:
            return "", ""
        if self.column.startswith("$"):
            return f", at {self.column}", f"，位于 {self.column}"
        return f", column {self.column}", f"，列 {self.column}"

    def to_json(self) -> dict[str, Any]:
        """Return the issue as JSON."""
        return {
            "file": self.file,
            "row": self.row,
            "column": self.column,
            "found": self.found,
            "expected": self.expected.to_json(),
            "remedy": self.remedy.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of intake at which an input may be refused.

    Args:
        code: The code of its errors.
        title: What happened, as the first line of a message.
    """

    code: str
    title: Text


FILES = Stage(
    "CRN-F-001", Text("The input files cannot be used as they are.", "输入文件无法按现状使用。")
)
REFERENCES = Stage(
    "CRN-F-002", Text("Facts refer to facts that do not exist.", "有事实引用了不存在的事实。")
)
ONE_FACT = Stage("CRN-F-003", Text("This is not a fact.", "这不是一条有效的事实。"))


class IntakeError(InputError):
    """An input was refused as a whole; nothing of it was used.

    Args:
        stage: The stage that refused it.
        issues: What is wrong, in the order of the input, up to a bound.
        hidden_count: How many more problems were found.
        is_complete: Whether everything was read; otherwise there may be still more.
    """

    def __init__(
        self,
        stage: Stage,
        issues: Sequence[Issue],
        *,
        hidden_count: int = 0,
        is_complete: bool = True,
    ) -> None:
        self.issues = tuple(issues)
        self.hidden_count = hidden_count
        self.is_complete = is_complete
        lines = [issue.message() for issue in self.issues]
        if self.hidden_count or not is_complete:
            lines.append(_hidden_line(hidden_count, is_complete=is_complete))
        head = _headline(stage, self.problem_count)
        super().__init__(
            stage.code,
            Text(
                "\n".join([head.en, *(line.en for line in lines)]),
                "\n".join([head.zh, *(line.zh for line in lines)]),
            ),
            Text(
                "Nothing was used. Correct what is listed and try again.",
                "未采用任何内容。请更正所列问题后重试。",
            ),
        )

    @property
    def problem_count(self) -> int:
        """How many problems were found, shown or not."""
        return len(self.issues) + self.hidden_count

    def to_json(self) -> dict[str, Any]:
        """Return the error as JSON, for ``--format json`` and the API."""
        return {
            "code": self.code,
            "issues": [issue.to_json() for issue in self.issues],
            "not_shown": self.hidden_count,
            "is_complete": self.is_complete,
        }


def _headline(stage: Stage, count: int) -> Text:
    noun = "problem" if count == 1 else "problems"
    return Text(f"{stage.title.en} {count} {noun}:", f"{stage.title.zh}共 {count} 个问题：")


def _hidden_line(count: int, *, is_complete: bool) -> Text:
    if is_complete:
        return Text(f"{count} more are not shown.", f"另有 {count} 个未显示。")
    return Text(
        f"{count} more are not shown; reading stopped there, and there may be still more.",
        f"另有 {count} 个未显示；读取已在此停止，可能还有更多。",
    )


def outlined(value: object) -> Found:
    """Return a value as a message shows it, a list or an object by what it is."""
    if isinstance(value, list):
        return Text("a list", "一个列表")
    return Text("an object", "一个对象") if isinstance(value, dict) else shown(value)


def shown(value: object) -> str:
    r"""Return a value as a message shows it: one short line in which nothing is invisible.

    >>> shown("a" + chr(0x202E) + "b")
    "'a\\u202eb'"
    """
    text = value if isinstance(value, str) else str(value)
    if len(text) > FOUND_LENGTH_MAX:
        text = text[:FOUND_LENGTH_MAX] + "…"
    return repr(text) if isinstance(value, str) else text


class TooManyProblemsError(Exception):
    """Reading stops: so many problems were found that the input is of another kind."""


@dataclass(slots=True)
class IssueLog:
    """Collects issues up to a bound and counts the others.

    Args:
        issues_max: How many issues are kept.
    """

    issues_max: int
    issues: list[Issue] = field(default_factory=list)
    hidden_count: int = 0

    def add(self, source: Source, problem: Problem) -> None:
        """Keep or count one problem.

        Raises:
            TooManyProblemsError: `PROBLEMS_READ_MAX` are reached.
        """
        if len(self.issues) < self.issues_max:
            self.issues.append(Issue.at(source, problem))
        else:
            self.hidden_count += 1
        if len(self.issues) + self.hidden_count >= PROBLEMS_READ_MAX:
            raise TooManyProblemsError

    def extend(self, source: Source, problems: Sequence[Problem]) -> None:
        """Keep or count several problems of one place."""
        for problem in problems:
            self.add(source, problem)

    def raise_if_any(self, stage: Stage, *, is_complete: bool = True) -> None:
        """Raise what was collected, if anything was.

        Raises:
            IntakeError: There are issues.
        """
        if self.issues:
            raise IntakeError(
                stage, self.issues, hidden_count=self.hidden_count, is_complete=is_complete
            )
