"""The canary: in every test, what was logged, raised or printed is searched for the tests' own secrets."""

import gc
import logging
import re
import time
from collections.abc import Callable, Generator, Iterator

import pytest
from hypothesis import settings

from g2a_async import G2AError

settings.register_profile("suite", max_examples=50, deadline=None)  # no test has a clock: machines are busy
settings.load_profile("suite")

MARKED = re.compile(
    r"\b(?:access|refresh|code|user|client)-[0-9a-f]{40}\b"  # the emulator's
    r"|user-token-F5EE645AAA87462523475FFF8576348574|launch-8c1fd2a07be94e63"  # the peer's
)


class Ears(logging.Handler):
    """Hears every record of every logger."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what a handler would write."""
        self.heard.append(self.format(record))


@pytest.fixture(autouse=True)
def canary(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No log record and no error, also one that was caught, shows a secret."""
    ears = Ears()
    finished = G2AError._fix

    def listening(error: G2AError) -> None:
        finished(error)
        ears.heard.extend([str(error), repr(error), repr(vars(error))])

    monkeypatch.setattr(G2AError, "_fix", listening)
    monkeypatch.setattr(logging.getLogger("g2a_async"), "level", logging.DEBUG)
    logging.getLogger().addHandler(ears)
    yield
    logging.getLogger().removeHandler(ears)
    assert [text for text in ears.heard if MARKED.search(text)] == []


@pytest.fixture
def local_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Put this machine into another time zone, named as POSIX does."""

    def put(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield put
    monkeypatch.delenv("TZ", raising=False)
    time.tzset()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: no garbage collection looks through it again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Nor does what was printed."""
    report = yield
    if report.passed and MARKED.search(report.capstdout + report.capstderr):
        report.outcome, report.longrepr = "failed", "a secret was printed"
    return report
