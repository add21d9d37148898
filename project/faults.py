"""What the log keeps of Django's complaints about answers."""

import logging


class OnlyFaults(logging.Filter):
    """Lets everything through but 503, which is always answered on purpose."""

    def filter(self, record: logging.LogRecord) -> bool:
        return getattr(record, "status_code", 0) != 503
