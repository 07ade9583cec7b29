"""moto's S3 server over HTTP, for as long as the `with` lasts; it can be told to refuse requests, and to be slow."""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs

import boto3  # type: ignore[import-untyped]  # it comes with moto, which has types
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

Environ = dict[str, Any]
BODY = b"<Error><Code>%s</Code><Message>AKIASECRET is not what it was</Message></Error>"


class Asked(NamedTuple):
    """A request."""

    method: str
    path: str
    query: dict[str, list[str]]

    @property
    def part(self) -> int:
        """Of a multipart upload; 0: it is something else."""
        return int(self.query.get("partNumber", ["0"])[0])


class S3:
    """A store with one empty bucket, `recordings`."""

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.refuse: Callable[[Asked], tuple[str, bytes] | None] = lambda _: None
        """Gives the status and the error's code for a request that is not to succeed; it may also wait."""

    def __enter__(self) -> Self:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server: BaseWSGIServer = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self._client = boto3.client("s3", **self.access)
        self._client.create_bucket(Bucket="recordings")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.empty()
        self._client.delete_bucket(Bucket="recordings")
        self._client.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def access(self) -> dict[str, str]:
        """What boto3 needs."""
        return {
            "endpoint_url": self.origin,
            "region_name": "us-east-1",
            "aws_access_key_id": "key",
            "aws_secret_access_key": "made-up",
        }

    @property
    def environment(self) -> dict[str, str]:
        """What obstore needs."""
        return {
            "AWS_ENDPOINT_URL": self.origin,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "made-up",
        }

    def empty(self) -> None:
        """All objects and uploads go, and nothing is refused any more."""
        self.refuse = lambda _: None
        for key in self.objects():
            self._client.delete_object(Bucket="recordings", Key=key)
        for key, upload in self._uploads():
            self._client.abort_multipart_upload(Bucket="recordings", Key=key, UploadId=upload)

    def objects(self) -> dict[str, int]:
        """Keys and sizes."""
        found = self._client.list_objects_v2(Bucket="recordings").get("Contents", [])
        return {one["Key"]: one["Size"] for one in found}

    def open_uploads(self) -> list[str]:
        """Keys of multipart uploads that were neither completed nor aborted."""
        return [key for key, _ in self._uploads()]

    def get(self, key: str) -> tuple[bytes, str, dict[str, str]]:
        """Content, type and metadata."""
        found = self._client.get_object(Bucket="recordings", Key=key)
        return found["Body"].read(), found["ContentType"], found["Metadata"]

    def put(self, key: str, data: bytes) -> None:
        """As somebody else would."""
        self._client.put_object(Bucket="recordings", Key=key, Body=data)

    def remove(self, key: str) -> None:
        """The same."""
        self._client.delete_object(Bucket="recordings", Key=key)

    def _uploads(self) -> list[tuple[str, str]]:
        found = self._client.list_multipart_uploads(Bucket="recordings").get("Uploads", [])
        return [(one["Key"], one["UploadId"]) for one in found]

    def _answer(self, environ: Environ, start: Any) -> Iterable[bytes]:
        query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
        asked = Asked(environ["REQUEST_METHOD"], environ["PATH_INFO"], query)
        self.requests.append(asked)
        if refusal := self.refuse(asked):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start(refusal[0], [("Content-Type", "application/xml")])
            return [BODY % refusal[1]]
        return self._app(environ, start)  # type: ignore[no-any-return]
