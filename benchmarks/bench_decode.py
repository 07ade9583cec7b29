"""From the bytes of a list of sessions to records: as the service documents it, and with all that must be borne with.

The odd ones have numbers for IDs, `+0000` for the zone and attributes that nobody knows. There `d` leaves the IDs as
they come, and both it and pydantic drop what they do not know; ours keeps it, in `extra`. Every decoder of ours keeps
every tolerance: msgspec is no option of the package but a part of it, so that there is no other way to measure.

`python benchmarks/bench_decode.py [--rounds N] [--smoke]`
"""

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from rounds import Column, Rounds, options
from service import odd_session, session, sessions

from g2a_async.codec import read_list
from g2a_async.endpoints import LIST_SESSIONS
from g2a_async.records import Session

C, ORJSON, D, PYDANTIC, OURS = "c: json.loads", "orjson.loads", "d: msgspec.Struct", "pydantic", "g2a_async"


def decoders(*, odd: bool) -> Mapping[str, Callable[[bytes], Any]]:
    """The ways."""
    struct = import_module("peer_msgspec")
    return {
        C: json.loads,
        ORJSON: import_module("orjson").loads,
        D: struct.read_loose_sessions if odd else struct.read_sessions,
        PYDANTIC: import_module("peer_pydantic").Sessions.model_validate_json,
        OURS: lambda body: read_list(body, Session, LIST_SESSIONS),
    }


def one_in_a_hundred(number: int) -> dict[str, Any]:
    """Odd now and then."""
    return odd_session(number) if number % 100 == 50 else session(number)


def unzoned(number: int) -> dict[str, Any]:
    """Null for what is absent, and times without a zone: the peers leave them so, ours are in UTC."""
    told = dict.fromkeys(("notes", "sessionRecordingUrl", *TIMES)) | session(number)
    return told | {name: time.removesuffix("Z") for name in TIMES if (time := told[name]) is not None}


TIMES = ("startedAt", "customerJoinedAt", "endedAt")
KINDS = {
    "as documented": session,
    "one in a hundred odd": one_in_a_hundred,
    "all odd": odd_session,
    "nulls, and no zones": unzoned,
}


def main() -> None:
    """Measure and print."""
    chosen = options(__doc__, 15, "pydantic", "orjson")
    sizes = {100: 1} if chosen.smoke else {1_000: 10, 10_000: 1}
    for title, make in KINDS.items():
        for count, times in sizes.items():
            body = sessions(count, make=make)
            rounds = Rounds(chosen)
            for name, decode in rounds.turns(decoders(odd=make in {one_in_a_hundred, odd_session})):
                with rounds.timed(name, times):
                    for _ in range(times):
                        decode(body)
            columns = [Column("cpu us", "cpu"), Column("x c", "cpu", C), Column("x d", "cpu", D)]
            rounds.table(f"{count:,} sessions, {title}", [*columns, Column("x pydantic", "cpu", PYDANTIC)])
            if make is session:
                rounds.judge("records a second to d's", rounds.ratio(D, "cpu", OURS), least=0.65)
                rounds.judge("records a second to pydantic's", rounds.ratio(PYDANTIC, "cpu", OURS), least=2.3)


if __name__ == "__main__":
    main()
