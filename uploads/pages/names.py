"""What the new-job page says about the names of results: the placeholders, and an example."""

from dataclasses import dataclass

from django.utils import timezone

from uploads.errors import RequestError
from uploads.naming import PLACEHOLDERS, Facts, check_pattern, result_name

SOME_FILE = "DSC_2041.jpg"
SOME_FOLDER = "Summer"
SOME_DIMENSIONS = "1600x1200"
SOME_PRESET = "web"


@dataclass(frozen=True)
class NamesField:
    """The field with its pattern; the page's script keeps the example true while somebody writes."""

    pattern: str = ""
    file: str = ""
    placeholders = PLACEHOLDERS
    some_file = SOME_FILE
    some_folder = SOME_FOLDER
    some_dimensions = SOME_DIMENSIONS

    @property
    def day(self) -> str:
        return timezone.localdate().isoformat()

    @property
    def shown_file(self) -> str:
        return self.file or SOME_FILE

    @property
    def example(self) -> str:
        """Return what the first file's result would be called, but for its ending."""
        facts = Facts(
            name=self.shown_file,
            number=1,
            day=timezone.localdate(),
            folder=SOME_FOLDER,
            dimensions=SOME_DIMENSIONS,
            preset=SOME_PRESET,
        )
        try:
            check_pattern(self.pattern)
        except RequestError:
            return result_name("source", "", facts)
        return result_name("source", self.pattern, facts)
