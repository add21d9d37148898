#!/usr/bin/env python3
"""Run Tidemill's commands: up, sweep, doctor, runop, createtoken and Django's own."""

from project.cli import main

if __name__ == "__main__":
    main()
