"""Spans of OpenTelemetry: one for each call, a child for each exchange. Needs `pip install 'g2a-async[otel]'`.

The API package alone is used: without an SDK of the application's, spans go nowhere and cost next to nothing. Names
and attributes are templates (`/sessions/{sessionId}`), so there are few of them, and none holds a secret.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, TracerProvider, get_tracer

from g2a_async.endpoints import Endpoint
from g2a_async.errors import G2AError, StatusError
from g2a_async.version import __version__


class OpenTelemetry:
    """For `G2AClient(telemetry=OpenTelemetry())`."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._tracer: Tracer = get_tracer("g2a_async", __version__, provider)

    @contextmanager
    def call(self, endpoint: Endpoint) -> Iterator[None]:
        """A span named for the call, such as `g2a.sessions.get`."""
        attributes = {"http.request.method": endpoint.method, "url.template": endpoint.route}
        with self._tracer.start_as_current_span(
            f"g2a.{endpoint.name}", attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except G2AError as error:
                span.set_attribute("error.type", type(error).__name__)
                if isinstance(error, StatusError):
                    span.set_attribute("http.response.status_code", error.status)
                if not (endpoint.empty_on_404 and getattr(error, "status", None) == 404):  # noqa: PLR2004
                    span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    @contextmanager
    def exchange(self, endpoint: Endpoint, attempt: int) -> Iterator[Callable[[int], None]]:
        """A span named for the HTTP method and route."""
        attributes = {"http.request.method": endpoint.method, "url.template": endpoint.route}
        if attempt > 1:
            attributes["http.request.resend_count"] = attempt - 1  # type: ignore[assignment]  # attributes are of many types
        with self._tracer.start_as_current_span(
            f"{endpoint.method} {endpoint.route}",
            kind=SpanKind.CLIENT,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield lambda status: span.set_attribute("http.response.status_code", status)
            except G2AError as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise
