"""The way to an object store: by its address and the environment, and its failures told without secrets."""

import asyncio
import errno
import os
import re
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import Any, Final, TypeVar

from obstore import exceptions, store

from g2a_async.archive.destinations import DestinationError
from g2a_async.errors import ConfigError
from g2a_async.threads import ended

T = TypeVar("T")

RETRIES: Final = 10
"""How often a request is sent again."""
_FIRST_WAIT: Final = timedelta(seconds=0.5)
"""Doubled for each repeat: a store that is gone for a minute does not end a run."""
PATIENCE: Final = 30.0
"""Seconds that what is given up may still take."""
_TIMEOUT: Final = "300s"
"""For one request. obstore's own 30 s would be too little for a part on a slow line."""

_KINDS: Final[Mapping[str, tuple[Any, str, str]]] = {
    "s3": (store.S3Store, "AWS", "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, or give the machine a role"),
    "gs": (store.GCSStore, "GOOGLE", "GOOGLE_APPLICATION_CREDENTIALS, or give the machine a service account"),
    "az": (store.AzureStore, "AZURE", "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"),
}
"""For a scheme: the store, what its variables begin with, and what to set for credentials."""
_NOWHERE: Final = re.compile(r"//(169\.254\.|metadata\.google|[^/]+/latest/api/token\b)")
"""Where obstore looks for credentials when the environment has none."""


class Bucket:
    """A bucket or container, and a prefix in it. ValueError: the address has something else, or less."""

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        name, _, prefix = rest.partition("/")
        if scheme not in _KINDS:
            raise ValueError("an object store is s3://bucket/prefix, gs://bucket/prefix or az://container/prefix")
        self._kind, self._variables, self._credentials = _KINDS[scheme]
        if not re.fullmatch(r"[A-Za-z0-9._-]+", name) or re.search(r"[?#\x00-\x1f]", prefix):
            raise ValueError(  # which does not show the address: there may be a secret in it
                f"{scheme}:// takes the name of a bucket and a prefix, and nothing else: credentials and the rest "
                f"are set in the environment ({self._credentials})"
            )
        parts = [part for part in prefix.split("/") if part]
        if {".", ".."} & {*parts}:
            raise ValueError("the prefix of an object store cannot go through . or ..")
        self._name = name
        self._prefix = "/".join(parts)
        self.identity = "/".join([f"{scheme}://{name}", *parts])
        """The address, without a slash at its end."""

    def connect(self, retries: int = RETRIES) -> Any:
        """What obstore's functions take. Reads the environment and the files that it names; asks nobody yet."""
        retry: Any = {"max_retries": retries, "backoff": {"init_backoff": _FIRST_WAIT}}
        # A client's options would replace what the environment says of them; this way the environment has its say.
        config: Any = {} if f"{self._variables}_TIMEOUT" in os.environ else {"timeout": _TIMEOUT}
        try:
            return self._kind(self._name, prefix=self._prefix or None, config=config, retry_config=retry)
        except (exceptions.BaseError, OSError, ValueError):  # which may show a part of a key
            flaw = f"the environment does not tell how to get there; set {self._credentials}"
        raise ConfigError(f"{self.identity}: {flaw}")

    async def asked(self, doing: str, path: str, work: Awaitable[T]) -> T:
        """What *work* gives, and told without secrets when it fails."""
        try:
            return await work
        except (exceptions.BaseError, OSError) as error:
            failure = self._told(doing, path, error)
        raise failure  # not from obstore's error, which shows addresses, key IDs and the IDs of uploads

    async def settled(self, doing: str, path: str, work: Awaitable[T]) -> T:
        """The same of what changes something. Cancelled, it waits for the end, unless the store is silent for long.

        Half of a beginning could not be taken back: the ID of the upload would be lost.
        """
        running = asyncio.ensure_future(self.asked(doing, path, work))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await ended(running, PATIENCE)
            running.cancel()
            await ended(running)
            raise

    def _told(self, doing: str, path: str, error: Exception) -> DestinationError | OSError:
        text = str(error)
        status = found[1] if (found := re.search(r"status code: (\d{3})", text)) else ""
        code = found[1] if (found := re.search(r"<Code>(\w{1,60})</Code>", text)) else ""
        answer = f"{status} {code}".strip()
        why = ""
        if _NOWHERE.search(text):
            why = f"there are no credentials; set {self._credentials}"
        elif "builder error" in text:
            why = f"its endpoint is not https://; set {self._variables}_ALLOW_HTTP=true if that is meant"
        elif status.startswith("3") or "incorrectly configured region" in text:
            why = f"it is in another region; set {self._variables}_REGION"
        elif code in {"NoSuchBucket", "ContainerNotFound"} or (status == "404" and not path):
            why = "there is no such bucket"
        elif code in {"ExpiredToken", "InvalidToken"} or (
            status in {"401", "403"} and code != "InvalidObjectState"  # which is one object, in cold storage
        ):
            why = f"cannot {doing} there ({answer}); listing, reading, writing and deleting must be allowed"
        elif not status and not isinstance(error, FileNotFoundError):
            why = f"cannot {doing} there: no answer from the store"
        if why:
            return DestinationError(f"{self.identity}: {why}")
        where = f"{self.identity}/{path}"
        if isinstance(error, FileNotFoundError):
            return FileNotFoundError(errno.ENOENT, "no such object", where)
        return OSError(errno.EIO, f"cannot {doing} the object, the store answers {answer}", where)
