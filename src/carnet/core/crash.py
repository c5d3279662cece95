"""Named points at which a process can be made to die, to prove that nothing is lost.

Setting ``CARNET_CRASH_AT`` to a name kills the process with SIGKILL when it passes that point,
exactly as a power cut would: no handler runs, no buffer is flushed. The names are listed in
docs/operations.md; the fault tests go through all of them.
"""

import os
import signal

CRASH_VARIABLE = "CARNET_CRASH_AT"


def crash_point(name: str) -> None:
    """Die here if this is the point named in the environment."""
    if os.environ.get(CRASH_VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
