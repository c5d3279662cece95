"""The process that durable-rules runs in: frames in, matches out, nothing shared with the parent.

A native crash cannot be caught, so the engine never runs in the process that decides. The worker
drives the C module with its own agenda loop: assert a case's facts, take matches one by one as
data until none is left or the fuel is used up, forget the case. Whatever is not exactly as
expected ends the process; the parent replaces it and counts the death against the case.

Frames are a 4-byte big-endian length and that many bytes. A request is a JSON header and one frame
for each case; the answer is one JSON frame.

Source: docs/adr/0006-durable-rules-safe-profile.md.
"""

import json
import sys
from collections import OrderedDict
from typing import Any, BinaryIO

import durable_rules_engine as engine

from carnet.rules.live.protocol import PLANS_MAX, RAN

FRAME_SIZE_MAX = 256 * 1024 * 1024
_SID = "1"


class EngineFaultError(Exception):
    """The engine answered something that the safe profile rules out, or ran out of fuel."""


def read_frame(stream: BinaryIO) -> bytes | None:
    """Return the next frame, None at the end of the stream.

    Raises:
        EngineFaultError: The frame is larger than FRAME_SIZE_MAX bytes.
    """
    head = stream.read(4)
    if len(head) < 4:  # noqa: PLR2004  # the length of a frame's head
        return None
    size = int.from_bytes(head, "big")
    if size > FRAME_SIZE_MAX:
        message = f"a frame of {size} bytes"
        raise EngineFaultError(message)
    data = stream.read(size)
    return data if len(data) == size else None


def write_frame(stream: BinaryIO, data: bytes) -> None:
    """Write one frame."""
    stream.write(len(data).to_bytes(4, "big") + data)
    stream.flush()


def _row(message: str) -> list[Any]:
    """Return a match as the rule's name and the numbers of the facts matched."""
    ((rule, bound),) = json.loads(message).items()
    return [rule, *(bound[alias]["n"] for alias in sorted(bound) if alias != "case")]


def run_case(handle: Any, facts: str, fuel: int) -> list[list[Any]]:
    """Return every match of one case, leaving no state behind.

    Args:
        handle: The ruleset in the engine.
        facts: The facts of the case as the engine's JSON.
        fuel: How many matches are allowed.

    Raises:
        EngineFaultError: The engine refused the facts, lost a message, or found too much.
    """
    rows: list[list[Any]] = []
    code, offset = engine.assert_facts(handle, facts)
    # 1: a fact that no rule knows; 2: a fact taken for one already seen. The first loses the
    # batch, the second is a collision of 32-bit hashes: neither may pass.
    if code != 0:
        message = f"the engine refused the facts with code {code}"
        raise EngineFaultError(message)
    started = engine.start_action_for_state(handle, offset)
    found = started[1] if started else None
    while found:
        if len(rows) >= fuel:
            message = f"more than {fuel} matches"
            raise EngineFaultError(message)
        rows.append(_row(found))
        found = engine.complete_and_start_action(handle, offset)
    if rows.count([RAN]) != 1:
        message = "the engine lost a message on the way"
        raise EngineFaultError(message)
    # On a fault the process ends, so that only a state in order is ever deleted.
    engine.delete_state(handle, _SID)
    return [row for row in rows if row[0] != RAN]


class Plans:
    """The compiled packs that the worker holds, oldest first."""

    def __init__(self) -> None:
        self._handles: OrderedDict[str, list[Any]] = OrderedDict()
        self._count = 0

    def get(self, name: str, rulesets: list[str] | None) -> list[Any]:
        """Return the handles of a pack, creating them where the parent sent its rules."""
        if rulesets is None:
            self._handles.move_to_end(name)
            return self._handles[name]
        handles = []
        for text in rulesets:
            self._count += 1
            handles.append(engine.create_ruleset(f"r{self._count}", text))
        self._handles[name] = handles
        if len(self._handles) > PLANS_MAX:
            _, old = self._handles.popitem(last=False)
            for handle in old:
                engine.delete_ruleset(handle)
        return handles


def serve(source: BinaryIO, sink: BinaryIO) -> int:
    """Answer requests until the stream ends; return the exit code."""
    plans = Plans()
    while (head := read_frame(source)) is not None:
        request = json.loads(head)
        cases = [read_frame(source) for _ in range(request["cases"])]
        if any(case is None for case in cases):
            return 0
        answer: list[list[list[Any]]] = []
        try:
            handles = plans.get(request["plan"], request.get("rulesets"))
            for case in cases:
                facts = (case or b"").decode("utf-8")
                answer.append([row for h in handles for row in run_case(h, facts, request["fuel"])])
        except Exception as error:  # noqa: BLE001  # whatever the engine raises, this process is done
            cause = f"{type(error).__name__}: {error}"
            write_frame(sink, json.dumps({"fault": len(answer), "cause": cause}).encode())
            return 1
        write_frame(sink, json.dumps({"rows": answer}).encode())
    return 0


if __name__ == "__main__":
    sys.exit(serve(sys.stdin.buffer, sys.stdout.buffer))
