"""JSON and NDJSON: strict, without duplicate keys, fractions or null; every fault with its place.

Source: RFC 8259; integers within +-(2^53 - 1) as in RFC 7493, section 2.2.
"""

import io
import json
from collections import Counter
from typing import Any, BinaryIO

import orjson

from carnet.core.text import Text
from carnet.facts.intake.collector import Collector
from carnet.facts.intake.opening import MARK, check_utf8, empty, refuse
from carnet.facts.issue import Found, Problem, Source, outlined, shown
from carnet.facts.parse import Unusable, fraction

_INTEGER_TEXT_MAX = 17
_FACTS = "facts"
_DOCUMENT = Text('a JSON object {"facts": [ ... ]}', 'JSON 对象 {"facts": [ … ]}')


def _object(pairs: list[tuple[str, Any]]) -> Any:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    counts = Counter(key for key, _ in pairs)
    repeated = next(key for key, count in counts.items() if count > 1)
    return Unusable(
        Text(f"the key {shown(repeated)} twice", f"键 {shown(repeated)} 出现两次"),
        Text("Keep one of the two keys.", "请只保留其中一个键。"),
    )


def _integer(text: str) -> int | Unusable:
    if len(text) <= _INTEGER_TEXT_MAX:
        return int(text)
    return Unusable(
        shown(text).strip("'"),
        Text("Check the number of digits.", "请检查数字的位数。"),
    )


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=fraction,
    parse_int=_integer,
    parse_constant=fraction,
)


def decode(data: bytes) -> Any:
    """Return the value of JSON in UTF-8, with `Unusable` where no field can take what is written.

    Raises:
        ValueError: It is not JSON, or nested too deeply.
    """
    # orjson bounds the depth by itself; the decoder below only has the interpreter's recursion
    # limit, which other packages raise until deep input overflows the stack.
    orjson.loads(data)
    try:
        return _DECODER.decode(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_json(data: bytes, file: str, collector: Collector) -> None:
    """Read a document ``{"facts": [...]}``; the row of a fact is its place in the list, from 1.

    Raises:
        FileRefusedError: It is not such a document.
    """
    try:
        document = decode(check_utf8(data))
    except ValueError as error:
        raise refuse(
            _position(error),
            Text("JSON", "JSON 格式"),
            Text(
                "Correct the syntax at this place, or export the file again.",
                "请更正此处语法，或重新导出文件。",
            ),
        ) from None
    if isinstance(document, Unusable):
        raise refuse(document.found, _DOCUMENT, document.remedy)
    facts = document.get(_FACTS) if isinstance(document, dict) else None
    if not isinstance(facts, list) or set(document) != {_FACTS}:
        raise refuse(
            _outline(document),
            _DOCUMENT,
            Text(
                "Put the facts in one list under the key facts; one fact a line is NDJSON: name the"
                " file .ndjson.",
                "请将所有事实放入 facts 键下的列表；若每行一条事实，请将文件命名为 .ndjson。",
            ),
        )
    for place, raw in enumerate(facts, start=1):
        collector.add_object(raw, Source(file, place))


def _outline(document: object) -> Found:
    if not isinstance(document, dict):
        return outlined(document)
    keys = [shown(key) for key in sorted(document)[:3]]
    return Text(f"the keys {', '.join(keys)}", f"键 {'、'.join(keys)}")


def _position(error: ValueError) -> Found:
    if isinstance(error, json.JSONDecodeError):
        line, column = error.lineno, error.colno
        return Text(
            f"{error.msg} (line {line}, column {column})",
            f"第 {line} 行第 {column} 列的语法错误（{error.msg}）",
        )
    return Text(str(error), f"无法解析的内容（{error}）")


def is_ndjson(data: bytes) -> bool:
    """Return whether the first line is a complete fact: then the others are facts, too."""
    first = next((line for line in io.BytesIO(data) if line.strip()), b"")
    try:
        value = decode(first.removeprefix(MARK))
    except ValueError:
        return False
    return isinstance(value, dict) and "type" in value


def read_ndjson(stream: BinaryIO, file: str, collector: Collector) -> None:
    """Read one fact a line, holding one line at a time; a blank line holds none.

    Raises:
        FileRefusedError: It has no content or a byte that is not UTF-8.
    """
    limit = collector.limits.line_size_max
    number = 0
    while line := stream.readline(limit + 1):
        number += 1
        if len(line) > limit:
            collector.log.add(Source(file, number), long_line(limit))
            return
        if number == 1:
            line = line.removeprefix(MARK)
        if line.strip():
            read_line(line, Source(file, number), collector)
    if number == 0:
        raise empty()


def read_line(line: bytes, source: Source, collector: Collector) -> None:
    """Read the fact of one line of NDJSON."""
    try:
        raw = decode(line)
    except ValueError:
        collector.log.add(source, _bad_line(line))
        return
    collector.add_object(raw, source)


def _bad_line(line: bytes) -> Problem:
    return Problem(
        None,
        shown(line.decode("utf-8", "backslashreplace").strip()),
        Text("one JSON object in UTF-8", "一个 UTF-8 编码的 JSON 对象"),
        Text(
            "Write each fact as one complete JSON object on a line of its own.",
            "每条事实须在单独一行写成完整的 JSON 对象。",
        ),
    )


def long_line(limit: int) -> Problem:
    """Return the problem of a line beyond the limit."""
    return Problem(
        None,
        Text(f"more than {limit} bytes", f"超过 {limit} 字节"),
        Text(f"a line of at most {limit} bytes", f"每行不超过 {limit} 字节"),
        Text(
            "Put one fact on each line. The rest of the file was not read.",
            "请每行只写一条事实。文件其余部分未读取。",
        ),
    )
