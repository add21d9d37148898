"""Static files with hashed names, relative module imports included; servestatic serves them."""

from servestatic.storage import CompressedManifestStaticFilesStorage


class ModuleStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Rewrites `import "./other.js"` to hashed names, so no import map is needed under the CSP."""

    support_js_module_import_aggregation = True
    manifest_strict = False
