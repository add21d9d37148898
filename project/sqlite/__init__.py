"""The SQLite engine of this project, for `DATABASES`."""
