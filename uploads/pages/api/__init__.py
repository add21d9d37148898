"""API: the same doors for scripts, under /api/v1/."""
