"""What happens during calls is told to hooks and shown in spans, and neither can hurt a call."""

import asyncio
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from tools.oauth import ShiftedClock

from g2a_async import (
    ExchangeEvent,
    G2AClient,
    Hooks,
    NotFoundError,
    Quota,
    RetryEvent,
    RetryPolicy,
    ServerError,
    Settings,
    ThrottleEvent,
)
from g2a_async.emulator import Emulator
from g2a_async.otel import OpenTelemetry

QUICK = RetryPolicy(base=0.001, cap=0.002)


def client_of(emulator: Emulator, **names: Any) -> G2AClient:
    """A client without a quota, whose repeats come soon."""
    settings = Settings(base_url=emulator.url, requests_per_second=None, retry=QUICK)
    return G2AClient(emulator.access_token, settings=settings, **names)


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_hooks_are_told(kind: str) -> None:
    """A call that fails once tells of both exchanges and of the repeat, to plain functions and to coroutines."""
    told: list[Any] = []

    async def later(event: Any) -> None:
        told.append(event)

    hook = told.append if kind == "plain" else later
    async with Emulator() as emulator:
        session = emulator.state.add_session()
        emulator.faults.add("GET /sessions/{sessionId}", status=503, times=1)
        async with client_of(emulator, hooks=Hooks(on_exchange=hook, on_retry=hook)) as g2a:
            await g2a.sessions.get(str(session.session_id))
    first, retry, second = told
    assert isinstance(first, ExchangeEvent)
    assert (first.operation, first.method, first.route) == ("sessions.get", "GET", "/sessions/{sessionId}")
    assert [(event.status, event.attempt) for event in (first, second)] == [(503, 1), (200, 2)]
    assert first.elapsed > 0
    assert isinstance(retry, RetryEvent)
    assert isinstance(retry.error, ServerError)
    assert retry.attempt == 1
    assert 0 <= retry.wait <= 0.002


async def test_waiting_for_the_quota_is_told() -> None:
    """A call that waits tells how long; one that goes at once tells nothing."""
    told: list[ThrottleEvent] = []
    async with Emulator() as emulator:
        emulator.state.add_company()
        async with client_of(emulator, hooks=Hooks(on_throttle=told.append), limiter=Quota(50)) as g2a:
            await g2a.companies.list().first()
            assert told == []
            await g2a.companies.list().first()
    assert [event.operation for event in told] == ["companies.list"]
    assert 0 < told[0].waited < 1


async def test_a_hook_that_hangs_costs_no_turn() -> None:
    """A call that is cancelled while its hook is told gives its turn in the quota back."""
    told, quota = asyncio.Event(), Quota(0.5, clock=ShiftedClock())

    async def hang(_: ThrottleEvent) -> None:
        told.set()
        await asyncio.Event().wait()

    async with Emulator() as emulator, client_of(emulator, hooks=Hooks(on_throttle=hang), limiter=quota) as g2a:
        assert quota.try_acquire()
        call = asyncio.create_task(g2a.companies.list().first())
        await told.wait()
        assert quota.expected_wait() > 1
        call.cancel()
        await asyncio.wait([call])
        assert quota.expected_wait() < 0.1
        assert len(emulator.journal) == 0


async def test_a_call_of_no_row_has_a_route_too() -> None:
    """What `request` asks is counted without its IDs."""
    told: list[ExchangeEvent] = []
    async with Emulator() as emulator, client_of(emulator, hooks=Hooks(on_exchange=told.append)) as g2a:
        with pytest.raises(NotFoundError):
            await g2a.request("GET", "/sessions/4217/events")
    assert (told[0].operation, told[0].route) == ("GET /sessions/{id}/events", "/sessions/{id}/events")


async def test_a_hook_that_awaits_what_was_cancelled_hurts_nobody() -> None:
    """A hook's own cancelled task does not cancel the call."""

    async def hook(_: ExchangeEvent) -> None:
        task = asyncio.create_task(asyncio.Event().wait())
        task.cancel()
        await task

    async with Emulator() as emulator, client_of(emulator, hooks=Hooks(on_exchange=hook)) as g2a:
        assert await g2a.companies.list().collect() == []


async def test_an_exchange_without_an_answer_is_told() -> None:
    """No answer is status None."""
    told: list[ExchangeEvent] = []
    async with Emulator() as emulator:
        emulator.state.add_company()
        emulator.faults.add("GET /companies", "reset", times=1)
        async with client_of(emulator, hooks=Hooks(on_exchange=told.append)) as g2a:
            await g2a.companies.list().first()
    assert [event.status for event in told] == [None, 200]


async def test_a_hook_that_fails_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """The call goes on, and the failure is logged."""

    def broken(event: Any) -> None:
        raise RuntimeError(f"broken by {type(event).__name__}")

    async with Emulator() as emulator:
        emulator.state.add_company()
        async with client_of(emulator, hooks=Hooks(on_exchange=broken)) as g2a:
            assert await g2a.companies.list().first() is not None
    assert "a hook failed on ExchangeEvent" in caplog.text


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """Where spans end up."""
    return InMemorySpanExporter()


@pytest.fixture
def telemetry(spans: InMemorySpanExporter) -> OpenTelemetry:
    """Spans into memory."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return OpenTelemetry(provider)


async def test_a_span_for_a_call_and_one_for_each_exchange(
    spans: InMemorySpanExporter, telemetry: OpenTelemetry
) -> None:
    """A call that is repeated is one span with two children; names and attributes are templates."""
    async with Emulator() as emulator:
        session = emulator.state.add_session()
        emulator.faults.add("GET /sessions/{sessionId}", status=500, times=1)
        async with client_of(emulator, telemetry=telemetry) as g2a:
            await g2a.sessions.get(str(session.session_id))
    first, second, call = spans.get_finished_spans()
    assert call.name == "g2a.sessions.get"
    assert [one.name for one in (first, second)] == ["GET /sessions/{sessionId}"] * 2
    assert call.context is not None
    assert {one.parent.span_id for one in (first, second) if one.parent} == {call.context.span_id}
    assert [dict(one.attributes or {}).get("http.response.status_code") for one in (first, second)] == [500, 200]
    assert dict(second.attributes or {})["http.request.resend_count"] == 1
    assert call.status.status_code is StatusCode.UNSET
    assert str(session.session_id) not in "".join(one.to_json() for one in (first, second, call))


async def test_a_failed_call_is_a_failed_span(spans: InMemorySpanExporter, telemetry: OpenTelemetry) -> None:
    """The span has the error's type and status, and nothing of what was sent."""
    async with Emulator() as emulator, client_of(emulator, telemetry=telemetry) as g2a:
        with pytest.raises(NotFoundError):
            await g2a.sessions.get("4711")
        assert await g2a.companies.list().collect() == []
    _, failed, _, empty = spans.get_finished_spans()
    assert failed.status.status_code is StatusCode.ERROR
    assert dict(failed.attributes or {})["error.type"] == "NotFoundError"
    assert empty.status.status_code is StatusCode.UNSET, "no companies are no error"
    assert "4711" not in failed.to_json()
