"""Intake: files on their way in, by tus 1.0.0 or a plain form."""
