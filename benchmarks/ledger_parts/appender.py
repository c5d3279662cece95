"""Appends the records of a file, one at a time, when it is told to: WORKSPACE FILE."""

import sys
import time
from pathlib import Path

from carnet.core.clock import SystemClock
from carnet.ledger.record import parse_record
from carnet.services.appending import open_log
from carnet.services.workspace import Workspace

records = [parse_record(line) for line in Path(sys.argv[2]).read_bytes().splitlines()]
with Workspace.open(Path(sys.argv[1])) as workspace:
    log = open_log(workspace, SystemClock())
    print("ready", flush=True)
    sys.stdin.readline()
    for record in records:
        log.append([record])
    print(time.time(), flush=True)
