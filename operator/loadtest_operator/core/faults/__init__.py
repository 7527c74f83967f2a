"""Faults: when each is put in and taken out, and what became of it."""
