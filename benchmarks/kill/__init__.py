"""Kill the processes of several task engines on one schedule, and count what is lost.

An engine is one small adapter (`engine.Engine`): start, submit, which processes may be
killed, how it is restarted, how its starts and effects are read. The peers are no
dependencies of Tidemill: they live in an environment of their own, made on the first run
from `requirements.txt` below `benchmarks/.cache`.
"""
