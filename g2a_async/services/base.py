"""What every service is: a transport, and no state."""

from g2a_async.transport import Transport


class Service:
    """Calls of one noun of the API."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport.settings.base_url!r})"
