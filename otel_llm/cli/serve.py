"""The composition root: builds the collector and every server from one settings object, and runs them until a signal.

The one place in ``otel_llm`` that knows ``receiver`` and ``query_api``.
"""

import gc
import logging
import os
import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

from otel_llm import __version__
from otel_llm.access.local import is_loopback
from otel_llm.cli.log_lines import set_up_logging
from otel_llm.cli.running import leave_note, private_files, reachable, remove_note, socket_path
from otel_llm.collector import Collector
from otel_llm.config import MIB, Settings
from otel_llm.config_sources import unknown_variables
from otel_llm.errors import ConfigError
from otel_llm.serving import BodyReader, HttpServer, Mount, OperatorServer, TlsFiles, WsgiBridge
from otel_llm.serving.asgi import App
from otel_llm.serving.server import bind

if TYPE_CHECKING:
    from receiver.server import Receiver

log = logging.getLogger("otel_llm")

MAX_QUERY_BODY_BYTES = MIB
"""Largest body of a query: the largest documented one is a few kB."""
HARD_STOP_MARGIN_S = 4.0
"""What the final commit and the checkpoint may take beyond the time for requests in work."""
_SIGNAL_LOOK_S = 1.0


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT. Raises ConfigError or StoreError when it cannot start."""
    set_up_logging(settings.log_level, settings.log_format)
    stopping = _listen_to_signals()
    for sentence in unknown_variables():
        log.warning("%s", sentence)
    if settings.database_url.startswith("duckdb:"):
        _leave_pandas_out()
    with private_files():
        _serve(settings, stopping)
    log.info("stopped")


def _serve(settings: Settings, stopping: threading.Event) -> None:
    _check_addresses(settings)
    collector = Collector(settings)
    try:
        check_door(settings, has_keys=collector.door.has_keys)
        collector.start()
        servers = Servers(collector)
        try:
            servers.start()
            _calm_garbage_collection()
            _give_way_sooner()
            log.info("otel-llm %s is ready, store %s", __version__, settings.safe_database_url)
            while not stopping.wait(_SIGNAL_LOOK_S):
                pass  # another thread may have taken the signal (under a debugger), which does not wake this one
            log.info("stopping")
            _exit_at_the_latest_in(settings.shutdown_timeout_s + HARD_STOP_MARGIN_S)
        finally:
            servers.stop()
    finally:
        collector.stop()


def _check_addresses(settings: Settings) -> None:
    """Before a store is opened, or made: that it can be served at all. Raises ConfigError."""
    TlsFiles.from_settings(settings)
    ports = {"--api-port": settings.api_port} if settings.only != "receiver" else {}
    if settings.only != "api":
        ports |= {"--grpc-port": settings.grpc_port, "--otlp-http-port": settings.otlp_http_port}
    for flag, port in ports.items():
        try:
            bind(settings.host, port).close()
        except ConfigError as error:
            raise ConfigError(f"{error}. Stop what listens there, or give another address with --host and {flag}") from None


def _leave_pandas_out() -> None:
    """DuckDB and pyarrow import pandas, where it is installed, to tell its values from others: half a second and 80 MB at each
    start, of a process that has no such values."""
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type] # how a module is said not to be there


def _calm_garbage_collection() -> None:
    """Ingest makes lists and tuples by the hundred thousand, none of them in circles: with Python's own thresholds a third of
    the writer's time went into looking for some."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _give_way_sooner() -> None:
    """The writer comes back to the interpreter after each statement of the database; with Python's own 5 ms it would wait that
    long for an ingest thread each time."""
    sys.setswitchinterval(0.001)


class Servers:
    """Every server that the settings ask for."""

    def __init__(self, collector: Collector) -> None:
        """Raises ConfigError for TLS files that cannot be used."""
        self._settings = settings = collector.settings
        self._ports = collector.ports
        self._receiver: Receiver | None = None
        self._api: HttpServer | None = None
        self._operator: OperatorServer | None = None
        self._bridge: WsgiBridge | None = None
        if settings.only != "api":
            self._receiver = _receiver(collector)
        if settings.only != "receiver":
            self._bridge = _query_api(collector)
            app: App = self._bridge
            path = socket_path(settings.database_url)
            if path is not None:
                self._operator = OperatorServer(self._bridge, path, drain_s=settings.shutdown_timeout_s)
            if self._receiver is not None:
                from receiver.http import LANGFUSE_PREFIX

                app = Mount(app, {LANGFUSE_PREFIX: self._receiver.app})
            self._api = HttpServer(
                app,
                host=settings.host,
                port=settings.api_port,
                tls=TlsFiles.from_settings(settings),
                drain_s=settings.shutdown_timeout_s,
            )

    def start(self) -> None:
        """Starts them, the API last, because its /healthz says that all is ready; one line for each address. Raises
        ConfigError when an address is not free."""
        settings = self._settings
        if self._receiver is not None:
            self._receiver.start()
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            log.info("OTLP/gRPC on %s:%d%s", host, self._receiver.grpc.port, " (TLS)" if settings.tls else "")
            log.info("OTLP/HTTP on %s", self._receiver.http.url)
            self._ports.update(grpc=self._receiver.grpc.port, otlp_http=self._receiver.http.port)
        if self._api is not None:
            self._api.start()
            log.info("query API on %s", self._api.url)
            self._ports["api"] = self._api.port
            self._start_operator()
            leave_note(settings.database_url, f"{self._api.scheme}://{reachable(settings.host)}:{self._api.port}")

    def _start_operator(self) -> None:
        """A folder without room for a socket costs only the convenience."""
        if self._operator is None:
            return
        try:
            self._operator.start()
        except ConfigError as error:
            log.warning("%s: other projects and their keys can be managed only while the server is stopped", error)
            self._operator = None

    def stop(self) -> None:
        """Stops all at once, so that their waits do not add up. Safe when some never started."""
        remove_note(self._settings.database_url)
        servers = (self._receiver, self._api, self._operator)
        threads = [threading.Thread(target=server.stop) for server in servers if server is not None]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._bridge is not None:
            self._bridge.close()


def _receiver(collector: Collector) -> "Receiver":
    from receiver.server import Receiver

    return Receiver(collector)


def _query_api(collector: Collector) -> WsgiBridge:
    from query_api import create_app

    reader = BodyReader(MAX_QUERY_BODY_BYTES, collector.budget)
    return WsgiBridge(create_app(collector), reader, question=collector.precedence.question)


def check_door(settings: Settings, *, has_keys: bool) -> None:
    """What may be opened to whom. Raises ConfigError for what may not; warns of what should not."""
    if is_loopback(settings.host):
        if not has_keys:
            log.info("no key exists: everybody on this machine may send and ask, in the project default")
        return
    if not has_keys:
        raise ConfigError(
            f"{settings.host} can be reached by others and there is no key yet: create one first "
            "(otel-llm keys create --project NAME), or bind 127.0.0.1"
        )
    if settings.tls:
        return
    if settings.require_tls:
        raise ConfigError(
            f"--require-tls: {settings.host} can be reached by others and there is no certificate: "
            "give --tls-cert-file and --tls-key-file, or bind 127.0.0.1"
        )
    log.warning(
        "NO TLS on %s: keys and data cross the network in the clear. Give --tls-cert-file and --tls-key-file, or put a TLS "
        "proxy in front and bind 127.0.0.1",
        settings.host,
    )


def _exit_at_the_latest_in(seconds: float) -> None:
    """Ends the process when a stop hangs, for example on a store that does not answer. Nothing acknowledged is lost by
    it: that was committed before it was acknowledged."""

    def give_up() -> None:
        log.error("the stop took longer than %.0f s and is cut short", seconds)
        logging.shutdown()
        os._exit(1)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()


def _listen_to_signals() -> threading.Event:
    """Set by the first SIGTERM or SIGINT. A second Ctrl-C ends the process at once; a second SIGTERM changes nothing."""
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        stopping.set()
        if number == signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return stopping
