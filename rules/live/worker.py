"""The process that durable-rules runs in: frames in, matches out, nothing shared with the parent.

A native crash cannot be caught, so the engine never runs in the process that decides. The worker
drives the C module with its own agenda loop: assert a case's facts, take matches one by one as
data until none is left or the fuel is used up, forget the case. Whatever is not exactly as
expected ends the process; the parent replaces it and counts the death against the case.

Frames are a 4-byte big-endian length and that many bytes. A request is a JSON header and a frame of
cases, one a line; the answer is one JSON frame.

Source: docs/adr/0006-durable-rules-safe-profile.md.
"""

import gc
import json
import os
import sys
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, BinaryIO

import durable_rules_engine as engine
import orjson

from carnet.rules.live.protocol import PLANS_MAX, RAN

FRAME_SIZE_MAX = 256 * 1024 * 1024
NICENESS = 5
_SID = "1"
_ANCHOR = "case"
_RAN = f'{{"{RAN}":'

Row = list[Any]
"""A match: the rule's name, then the numbers of the facts matched."""


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


def run_case(handle: Any, facts: str, fuel: int, rows: list[Row]) -> None:
    """Append every match of one case, leaving no state behind.

    Args:
        handle: The ruleset in the engine.
        facts: The facts of the case as the engine's JSON.
        fuel: How many matches are allowed.
        rows: Where matches are appended.

    Raises:
        EngineFaultError: The engine refused the facts, lost a message, or found too much.
    """
    code, offset = engine.assert_facts(handle, facts)
    # 1: a fact that no rule knows; 2: a fact taken for one already seen. The first loses the
    # batch, the second is a collision of 32-bit hashes: neither may pass.
    if code != 0:
        message = f"the engine refused the facts with code {code}"
        raise EngineFaultError(message)
    started = engine.start_action_for_state(handle, offset)
    found = started[1] if started else None
    ran = left = 0
    while found:
        if left >= fuel:
            message = f"more than {fuel} matches"
            raise EngineFaultError(message)
        left += 1
        # This match comes once in every case: what it bound is not worth reading.
        if found.startswith(_RAN):
            ran += 1
        else:
            rows.append(_row(found))
        found = engine.complete_and_start_action(handle, offset)
    if ran != 1:
        message = "the engine lost a message on the way"
        raise EngineFaultError(message)
    # On a fault the process ends, so that only a state in order is ever deleted.
    engine.delete_state(handle, _SID)


def _row(found: str) -> Row:
    """Return a match as the engine spells it as a row."""
    ((rule, bound),) = orjson.loads(found).items()
    if len(bound) == 1:
        return [rule]
    return [rule, *[bound[name]["n"] for name in sorted(bound) if name != _ANCHOR]]


class Plans:
    """The compiled packs that the worker holds, oldest first."""

    def __init__(self) -> None:
        self._plans: OrderedDict[str, tuple[Sequence[str], dict[int, Any]]] = OrderedDict()
        self._count = 0

    def choose(self, name: str, rulesets: Sequence[str] | None) -> None:
        """Make a pack the newest, taking its rules in where the parent sent them."""
        if rulesets is None:
            self._plans.move_to_end(name)
            return
        self._plans[name] = (rulesets, {})
        if len(self._plans) > PLANS_MAX:
            _, (_, handles) = self._plans.popitem(last=False)
            for handle in handles.values():
                engine.delete_ruleset(handle)

    def handle(self, name: str, number: int) -> Any:
        """Return one ruleset of a pack, made when it is first needed."""
        rulesets, handles = self._plans[name]
        handle = handles.get(number)
        if handle is None:
            self._count += 1
            handle = handles[number] = engine.create_ruleset(f"r{self._count}", rulesets[number])
        return handle

    def run(self, name: str, case: str, fuel: int) -> list[Row]:
        """Return the matches of one case in every ruleset that it is for."""
        rows: list[Row] = []
        for part in case.split("\t"):
            start = part.index("[")
            run_case(self.handle(name, int(part[:start])), part[start:], fuel, rows)
        return rows


def serve(source: BinaryIO, sink: BinaryIO) -> int:
    """Answer requests until the stream ends; return the exit code."""
    plans = Plans()
    while (head := read_frame(source)) is not None:
        request = json.loads(head)
        cases = read_frame(source)
        if cases is None:
            return 0
        answer: list[list[Row]] = []
        try:
            plans.choose(request["plan"], request.get("rulesets"))
            for case in cases.decode("ascii").split("\n"):
                answer.append(plans.run(request["plan"], case, request["fuel"]))  # noqa: PERF401  # an answer cut short tells how far it went
        except Exception as error:  # noqa: BLE001  # whatever the engine raises, this process is done
            cause = f"{type(error).__name__}: {error}"
            write_frame(sink, json.dumps({"fault": len(answer), "cause": cause}).encode())
            return 1
        write_frame(sink, orjson.dumps({"rows": answer}))
    return 0


if __name__ == "__main__":
    # Nothing here makes cycles; looking for them costs time in every batch.
    gc.disable()
    # Who prepares the cases feeds all workers, so it goes first where processors are few.
    os.nice(NICENESS)
    sys.exit(serve(sys.stdin.buffer, sys.stdout.buffer))
