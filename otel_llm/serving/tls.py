"""TLS and client certificates for every port, from files that may be replaced while the server runs.

The files are looked at whenever a client connects; a new certificate is used from the next handshake on. Files that do not
fit together (a rotation half done) are logged once and the certificate in use stays.
"""

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import grpc

from otel_llm.config import Settings
from otel_llm.errors import ConfigError

_log = logging.getLogger(__name__)
_Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Certificate chain, key and, for mutual TLS, the authorities of client certificates; all PEM."""

    cert: Path
    key: Path
    client_ca: Path | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> "TlsFiles | None":
        """The files the settings name; None without TLS. Raises ConfigError when they cannot be used."""
        if settings.tls_cert_file is None or settings.tls_key_file is None:
            return None
        files = cls(settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file)
        files.load()
        return files

    def load(self) -> ssl.SSLContext:
        """A context made of the files as they are now. Raises ConfigError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._load_into(context)
        return context

    def _load_into(self, context: ssl.SSLContext) -> None:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.cert, self.key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"cannot use the TLS certificate {self.cert} with the key {self.key}: {error}") from None
        if self.client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            try:
                context.load_verify_locations(self.client_ca)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"cannot use the client authorities {self.client_ca}: {error}") from None

    def stamp(self) -> _Stamp:
        """Changes whenever a file is replaced or rewritten. Raises OSError."""
        files = [self.cert, self.key] + ([self.client_ca] if self.client_ca else [])
        return tuple((status.st_mtime_ns, status.st_size, status.st_ino) for status in (file.stat() for file in files))

    def http_context(self) -> ssl.SSLContext:
        """The context of an HTTP server; follows the files."""
        return _FollowingContext(self)

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """The credentials of a gRPC server; follow the files. gRPC itself asks for TLS 1.2 or newer."""
        watch = _Watch(self)
        return grpc.dynamic_ssl_server_credentials(
            self._grpc_configuration(),
            lambda: self._grpc_configuration() if watch.changed() else None,  # type: ignore[arg-type,return-value]
            require_client_authentication=self.client_ca is not None,
        )

    def _grpc_configuration(self) -> Any:
        return grpc.ssl_server_certificate_configuration(
            [(self.key.read_bytes(), self.cert.read_bytes())],
            root_certificates=self.client_ca.read_bytes() if self.client_ca else None,
        )


class _Watch:
    """Tells once of every usable change of the files."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._lock = Lock()
        self._seen = files.stamp()

    def changed(self) -> bool:
        with self._lock:
            try:
                stamp = self._files.stamp()
                if stamp == self._seen:
                    return False
                self._seen = stamp
                self._files.load()
            except (OSError, ConfigError) as error:
                _log.error("the changed TLS files are not used yet: %s", error)
                return False
            _log.info("TLS certificate %s was read again", self._files.cert)
            return True


class _FollowingContext(ssl.SSLContext):
    """Hands every new connection to a context made of the newest usable files.

    A context that is changed in place would keep client authorities that were taken out of their file.
    """

    _files: TlsFiles
    _watch: _Watch
    _current: ssl.SSLContext

    def __new__(cls, files: TlsFiles) -> "_FollowingContext":
        context = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        context._files = files
        context._watch = _Watch(files)
        context._current = files.load()
        return context

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """What asyncio and uvloop call for every connection."""
        if self._watch.changed():
            self._current = self._files.load()
        return self._current.wrap_bio(*args, **kwargs)
