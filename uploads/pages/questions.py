"""Earlier questions of a person, the newest first; kept nowhere but in their jobs."""

from typing import Any

from uploads.models import Job, Stage

# So far back is looked: what people ask again they asked lately.
JOBS = 300
MOST = 20


def earlier_questions(user: Any, operation: str, connection: str = "") -> list[str]:
    """Return what this person asked by an operation, each once; of a database only what it was asked."""
    jobs = list(Job.objects.filter(owner=user).order_by("-id").values_list("pk", flat=True)[:JOBS])
    stages = Stage.objects.filter(job__in=jobs, operation=operation).order_by("-id")
    asked = (
        str(options.get("sql", "")).strip()
        for options in stages.values_list("options", flat=True)
        if not connection or options.get("connection") == connection
    )
    return list(dict.fromkeys(question for question in asked if question))[:MOST]
