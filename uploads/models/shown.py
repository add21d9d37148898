"""What pages say about a job's snapshot: headline, bar, timeline. Words from numbers; reads no rows.

The same words reach the first page, the socket and the polled state, so a page has one voice.
"""

from typing import Any

from uploads.operations.registry import operations
from uploads.states import StepKind

Json = dict[str, Any]

TITLES: dict[str, str] = {
    StepKind.PLAN: "Look at the files",
    StepKind.WORK: "Work",
    StepKind.JOIN: "Join the parts",
    StepKind.FINAL: "Send the e-mails",
    StepKind.NOTIFY: "Send the e-mail",
}
ENDINGS: dict[str, str] = {
    "succeeded": "All done.",
    "partial": "Done, but not all of it.",
    "failed": "Nothing could be done.",
    "cancelled": "Cancelled.",
}


def shown(state: Json) -> Json:
    """Return `{headline, percent, of, timeline}` for a snapshot."""
    share, of = _bar(state)
    percent = 100 if share >= 1 else min(99, int(share * 100))
    return {
        "headline": _headline(state),
        "percent": percent,
        "of": of,
        "timeline": timeline(state),
    }


def _bar(state: Json) -> tuple[float, str]:
    """Return the share that the one bar shows: arrival until work moves, then work."""
    arriving = state["arriving"]
    if arriving and state["progress"] <= 0 and arriving["bytes_total"]:
        return arriving["bytes_arrived"] / arriving["bytes_total"], "arrived"
    if state["finished_at"]:
        items = state["items"]
        return (items["done"] / items["total"] if items["total"] else 1.0), "done"
    return state["progress"], "done"


def _headline(state: Json) -> str:
    if state["finished_at"]:
        return ENDINGS.get(state["state"], "")
    if state["paused"]:
        who = state["paused_by"] or "an operator"
        ending = "; the running steps end first." if state["steps"]["running"] else "."
        return f"Paused by {who}{ending}"
    if state["cancelling"]:
        return "Cancelling: the running steps are being stopped."
    if state["waiting"]:
        return str(state["waiting"]["text"])
    if state["eta_text"]:
        return f"{state['eta_text'][0].upper()}{state['eta_text'][1:]} left"
    return "Working. The time left shows once enough of it is done to tell."


def timeline(state: Json) -> list[Json]:
    """Return the job's steps as rows from first to last, those to come included."""
    kinds = state["steps"]["kinds"]
    wanted = [StepKind.PLAN, StepKind.WORK, StepKind.JOIN, StepKind.FINAL, StepKind.NOTIFY]
    always = {StepKind.PLAN, StepKind.WORK} | ({StepKind.NOTIFY} if state["notify"] else set())
    return [
        _row(kind, kinds.get(kind), state) for kind in wanted if kind in kinds or kind in always
    ]


def _row(kind: StepKind, counts: Json | None, state: Json) -> Json:
    title = "Make ready" if kind == StepKind.PLAN and _starts(state) else TITLES[kind]
    row: Json = {"kind": kind, "title": title, "detail": "", "share": None, "seconds": None}
    if counts is None:
        ended = state["finished_at"] is not None and kind != StepKind.NOTIFY
        return {**row, "state": "cancelled" if ended else "waiting"}
    ended = counts["done"] + counts["failed"] + counts["cancelled"]
    row["state"] = _row_state(counts, ended)
    if kind == StepKind.WORK and state["finished_at"] and not state["items"]["done"]:
        # A step that ends all its files as unreadable has done its work; the person's is not done.
        row["state"] = "failed" if state["items"]["failed"] else "cancelled"
    row["seconds"] = counts["seconds"]
    said = [_detail(kind, counts, state)]
    if row["state"] in {"waiting", "started"} and (why := state["steps"]["waiting"].get(kind)):
        said.append(why["text"])
    row["detail"] = " · ".join(words for words in said if words)
    if counts["total"] > 1 and ended < counts["total"]:
        row["share"] = round(counts["done"] / counts["total"], 3)
    return row


def _starts(state: Json) -> bool:
    """Tell whether the job begins without files."""
    first = operations().get(state["stages"][0]["operation"]) if state["stages"] else None
    return first is not None and first.starts


def _row_state(counts: Json, ended: int) -> str:
    if counts["running"]:
        return "running"
    if ended < counts["total"]:
        return "started" if ended else "waiting"
    if counts["failed"]:
        return "failed"
    return "done" if counts["done"] else "cancelled"


def _detail(kind: StepKind, counts: Json, state: Json) -> str:
    if kind == StepKind.PLAN and _starts(state):
        return ""
    if kind == StepKind.PLAN:
        files = state["items"]["total"]
        operations = len(state["stages"])
        rest = f" in {operations} operations" if operations > 1 else ""
        return f"{files} {'file' if files == 1 else 'files'}{rest}"
    if counts["total"] == 1:
        return ""
    unit = (
        "joins"
        if kind == StepKind.JOIN
        else ("parts" if "join" in state["steps"]["kinds"] else "batches")
    )
    words = f"{counts['done']} of {counts['total']} {unit}"
    return f"{words}, {counts['failed']} failed" if counts["failed"] else words
