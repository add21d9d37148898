"""Static files with hashed names, relative module imports included; servestatic serves them."""

from typing import Any

from django.conf import settings
from servestatic import ServeStaticASGI
from servestatic.storage import CompressedManifestStaticFilesStorage


class ModuleStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Rewrites `import "./other.js"` to hashed names, so no import map is needed under the CSP."""

    support_js_module_import_aggregation = True
    manifest_strict = False


def with_static_files(application: Any) -> Any:
    """Serve the collected files before Django sees the request; hashed names are kept for ever."""
    return ServeStaticASGI(
        application,
        root=settings.STATIC_ROOT,
        prefix=settings.STATIC_URL,
        max_age=60,
        autorefresh=settings.DEBUG,
        allow_all_origins=False,
        add_headers_function=_guard,
    )


def _guard(headers: Any, path: str, url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
