"""Recordings to a folder or an object store, each one whole and once."""
