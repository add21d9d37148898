"""Look at the machine and say in words what is missing; exit status 1 on a real fault."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from uploads.management.findings import SECTIONS, Finding

SIGNS = {"ok": "✓", "off": "–", "warn": "!", "fault": "✗"}


class Command(BaseCommand):
    help = "Check versions, folders, database, workers, sandbox and settings; 1 on a fault."
    # A half-set-up machine is what this command is for.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        marks: list[str] = []
        for title, look in SECTIONS:
            self.stdout.write(self.style.MIGRATE_HEADING(title))
            for finding in look():
                marks.append(finding.mark)
                self.stdout.write(self._line(finding))
        faults, warnings = marks.count("fault"), marks.count("warn")
        if faults:
            self.stdout.write(self.style.ERROR(f"\n{faults} to mend, {warnings} to look at."))
            sys.exit(1)
        words = f"\nAll is well; {warnings} to look at." if warnings else "\nAll is well."
        self.stdout.write(self.style.SUCCESS(words))

    def _line(self, finding: Finding) -> str:
        paint = {
            "ok": self.style.SUCCESS,
            "off": self.style.NOTICE,
            "warn": self.style.WARNING,
            "fault": self.style.ERROR,
        }[finding.mark]
        return f"  {paint(SIGNS[finding.mark])} {finding.name:<18} {finding.text}"
