"""Whole files over HTTP: each resumed where it broke off, and never taken for whole when it is not."""
