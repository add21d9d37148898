"""Reads the text of a picture with Tesseract; imported when there is work."""

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tesserocr

from uploads.errors import StepError
from uploads.operations import ocr_data
from uploads.operations.base import Context

# Noise can keep it busy for hours.
PAGE_SECONDS = 120
# Tesseract's own measure of how sure it is of a page's direction; OCRmyPDF asks for 14.
SURE_OF_DIRECTION = 14.0


@dataclass(frozen=True)
class Found:
    """What was read: the text, its unseen layer as a PDF of one page, and how sure of it, 0…100."""

    text: str
    layer: Path
    words: int
    confidence: int


class Reader(contextlib.ExitStack):
    """Tesseract with the languages that a step asks for; loaded once, a tenth of a second each."""

    def __init__(self, step: Context[Any]) -> None:
        super().__init__()
        self.step = step
        self._engines: dict[str, Any] = {}

    def _engine(self, language: str, mode: int) -> Any:
        """Return an engine that remembers no earlier page."""
        if language not in self._engines:
            folder = _folder(language, self.step)
            try:
                made = tesserocr.PyTessBaseAPI(path=f"{folder}/", lang=language, psm=mode)
            except RuntimeError as error:
                reason = f"its data of {language} can't be read."
                raise StepError("tool_failed", tool="Tesseract", reason=reason) from error
            self._engines[language] = self.enter_context(made)
        engine = self._engines[language]
        engine.Clear()
        engine.ClearAdaptiveClassifier()
        return engine

    def direction(self, picture: Path) -> int:
        """Return by how many degrees clockwise a page must be turned to stand upright; 0 in doubt."""
        if ocr_data.UPRIGHT not in ocr_data.languages():
            return 0
        engine = self._engine(ocr_data.UPRIGHT, tesserocr.PSM.OSD_ONLY)
        engine.SetImageFile(str(picture))
        seen = engine.DetectOrientationScript()
        if not seen or seen["orient_conf"] < SURE_OF_DIRECTION:
            return 0
        return -int(seen["orient_deg"]) % 360

    def read(self, picture: Path, dpi: int) -> Found | None:
        """Return the text of a picture; None when Tesseract gave up on it."""
        base = picture.with_suffix("")
        variables = {
            "tessedit_create_pdf": "1",
            "textonly_pdf": "1",
            "user_defined_dpi": str(dpi),
        }
        engine = self._engine(self.step.options.languages, tesserocr.PSM.AUTO)
        for name, value in variables.items():
            engine.SetVariable(name, value)
        if not engine.ProcessPages(str(base), str(picture), timeout=1000 * PAGE_SECONDS):
            return None
        text = engine.GetUTF8Text()
        sure = engine.AllWordConfidences()
        mean = round(sum(sure) / len(sure)) if sure else 0
        return Found(text.strip(), base.with_suffix(".pdf"), len(sure), mean)


def _folder(languages: str, step: Context[Any]) -> Path:
    """Return the folder with the data of these languages; Tesseract looks into one alone."""
    paths = [ocr_data.languages()[name] for name in languages.split("+")]
    if len({path.parent for path in paths}) == 1:
        return paths[0].parent
    folder = step.path("tessdata")
    folder.mkdir(exist_ok=True)
    for path in paths:
        if not (folder / path.name).exists():
            shutil.copyfile(path, folder / path.name)
    return folder
