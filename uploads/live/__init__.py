"""Live pages: one hub per web process reads jobs, each socket is a cursor into one job."""
