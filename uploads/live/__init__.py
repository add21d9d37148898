"""Live: cursors over events, pushed to pages."""
