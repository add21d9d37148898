"""Admin: the operators console."""
