"""Pages: what a browser sees."""
