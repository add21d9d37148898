"""How far a process stands back for others, web pages above all; no Django.

Linux puts each session into a scheduling group of its own (man 7 sched, "The
autogroup feature"): between sessions only the group's value counts, and
between processes of one session only their own. So both are set.
"""

import contextlib
import os
from pathlib import Path


def stand_back(pid: int, nice: int) -> None:
    """Set the nice value (0…19) of a process and of the session that it leads.

    A machine that knows or allows less does less: it is a courtesy, not a promise.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, nice)
        if os.getsid(pid) == pid:
            Path(f"/proc/{pid}/autogroup").write_text(str(nice))
