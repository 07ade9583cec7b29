"""What users call: each method builds a call, sends it, and structures the answer.

A service's module is loaded when it is first used; `__init__.pyi` says the same to type checkers.
"""

from g2a_async.lazy import lazily

_HOMES = {
    "companies": ("Companies",),
    "partner": (
        "SystemLinks",
        "Tickets",
    ),
    "recordings": ("Recordings",),
    "sessions": ("Sessions",),
}

__getattr__ = lazily(__name__, _HOMES)
__all__ = [name for names in _HOMES.values() for name in names]  # pyright: ignore[reportUnsupportedDunderAll]  the stub lists them
