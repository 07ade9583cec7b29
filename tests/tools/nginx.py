"""A real nginx as a reverse proxy, with its default limits unless told otherwise."""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Self

CONFIG = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    {directives}
    location / {{ proxy_pass http://127.0.0.1:{upstream}; }}
  }}
}}
"""


class Nginx:
    """In front of a port of 127.0.0.1, for as long as the `with` lasts. Runs as whoever runs the tests."""

    def __init__(self, folder: Path, upstream: int, *directives: str) -> None:
        self.folder = folder
        self.upstream = upstream
        self.directives = directives

    def __enter__(self) -> Self:
        binary = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        assert binary, "these tests need nginx (Debian: apt-get install nginx-light)"
        # nginx takes over a socket that is bound already, as it does in its own upgrades: no port to race for, and
        # connections wait in the socket until it runs.
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.port: int = listening.getsockname()[1]
            config = self.folder / "nginx.conf"
            directives = "\n    ".join(f"{line};" for line in self.directives)
            # As root, workers would become `nobody`, whom the temporary folder is closed to.
            user = "user root;" if os.geteuid() == 0 else ""
            config.write_text(
                CONFIG.format(
                    user=user, folder=self.folder, port=self.port, upstream=self.upstream, directives=directives
                )
            )
            fd = listening.fileno()
            self._process = subprocess.Popen(
                [binary, "-e", str(self.folder / "error.log"), "-p", str(self.folder), "-c", str(config)],
                env={**os.environ, "NGINX": f"{fd};"},
                pass_fds=[fd],
                stdin=subprocess.DEVNULL,
            )
        return self

    def __exit__(self, *exc_info: object) -> None:
        died = self._process.poll()
        self._process.terminate()
        self._process.wait(10)
        assert died is None, (died, (self.folder / "error.log").read_text())

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"
