"""The real ClickHouse engine (chDB) behind ClickHouse's HTTP interface.

No package installs a ClickHouse server everywhere, so this speaks its protocol: the query in the URL or at the front of the
body, settings as parameters, rows in the native format, errors with their code. The engine, the client and what travels
between them are the real ones; only the listener is ours. It can lose answers as a broken network does.
"""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import chdb

_OF_THE_LISTENER = frozenset(
    {
        "client_protocol_version",
        "database",
        "default_format",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "query",
        "query_id",
        "send_progress_in_http_headers",
        "session_id",
        "wait_end_of_query",
    }
)
"""Parameters that are no settings of the query."""


class ClickHouseHTTP(ThreadingHTTPServer):
    """Serves the engine that this process runs in a folder."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.losses = 0
        """So many inserts are done, and their answers lost."""
        self.inserts = 0
        self._engine = chdb.connect(str(folder))
        self._settings: dict[str, str] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def server_close(self) -> None:
        """Closes the listener, then the engine: one that is open when the interpreter ends takes the process down with it."""
        super().server_close()
        with self._lock:
            self._engine.close()

    def url(self, database: str) -> str:
        """URL of a database."""
        return f"clickhousedb://127.0.0.1:{self.server_port}/{database}?compress=false"

    def run(self, query: bytes, format_: str, database: str | None, settings: dict[str, str]) -> bytes:
        """The bytes of an answer. Raises RuntimeError with the engine's own words."""
        with self._lock:
            changed = {name: f"'{_escaped(value)}'" for name, value in settings.items() if self._settings.get(name) != value}
            changed |= dict.fromkeys(self._settings.keys() - settings.keys(), "DEFAULT")
            self._settings = {}
            if changed:
                self._engine.query("SET " + ", ".join(f"{name} = {value}" for name, value in changed.items()))
            self._settings = settings
            if database:
                self._engine.query(f"USE {database}")
            found: bytes = self._engine.query(query, format_).bytes()
            return found


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ClickHouseHTTP

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        values = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        chunked = "chunked" in (self.headers.get("Transfer-Encoding") or "")
        body = self._chunks() if chunked else self.rfile.read(int(self.headers.get("Content-Length") or 0))
        front = values.get("query", "").encode()
        query = front + b"\n" + body if front and body else front or body
        settings = {name: value for name, value in values.items() if name not in _OF_THE_LISTENER}
        format_ = values.get("default_format", "TabSeparated")
        try:
            answer, status, code = self.server.run(query, format_, values.get("database"), settings), 200, ""
        except RuntimeError as error:
            answer, status = str(error).encode(), 500
            found = re.search(r"Code: (\d+)", str(error))
            code = found.group(1) if found else "1000"
        if query.lstrip()[:6].upper() == b"INSERT":
            self.server.inserts += 1
            if self.server.losses:
                self.server.losses -= 1
                self.close_connection = True
                return
        self.send_response(status)
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_: object) -> None:
        """Quiet."""
