"""Servers that are not ours, and the calls to try against them."""
