"""Admin: the console “Workers” for those who run the house, and its people."""
