"""A throw-away PostgreSQL server for tests: its own data directory and port, run by an unprivileged user."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class NoServerBinary(Exception):
    """There is no PostgreSQL server on this machine."""


def binaries() -> Path:
    """Folder of ``initdb`` and ``postgres``. Raises NoServerBinary."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NoServerBinary("no PostgreSQL server found (Debian: apt-get install postgresql)")


class PostgreSQLServer:
    """One server on a free loopback port, which may be stopped and started again. Settings are those of the server; without
    any it does not wait for the disk, which a crash of the server alone survives. ``home`` is where its data is, from an
    earlier server too; every user must be able to get there."""

    def __init__(self, home: Path | None = None, **settings: str) -> None:
        self._settings = settings or {"fsync": "off"}
        self._bin = binaries()
        self._home = home or Path(tempfile.mkdtemp(prefix="otel-llm-pg-"))
        self._home.mkdir(exist_ok=True)
        self._data = self._home / "data"
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._as_user = _unprivileged(self._home)
        if not self._data.exists():
            self._run(
                *("initdb", "-D", str(self._data), "-U", "otel", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
            )

    @property
    def url(self) -> str:
        """URL of the maintenance database."""
        return f"postgresql+psycopg://otel@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Starts and waits until it answers."""
        self._process = subprocess.Popen(
            [
                self._bin / "postgres",
                "-D",
                self._data,
                "-p",
                str(self.port),
                "-k",
                self._home,
                "-c",
                "listen_addresses=127.0.0.1",
                *(word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")),
            ],
            stdout=(self._home / "log").open("ab"),
            stderr=subprocess.STDOUT,
            **self._as_user,
        )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            ready = subprocess.run(
                [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
            ).returncode
            if ready == 0:
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL does not start: {(self._home / 'log').read_text()[-2000:]}")

    def cpu_s(self) -> float:
        """Processor seconds of the server and of the sessions it has or had, user and system."""
        if self._process is None:
            return 0.0
        stats = [_stat(path) for path in Path("/proc").glob("[0-9]*/stat")]
        pid = str(self._process.pid)
        own = [stat for stat in stats if stat and pid in (stat[0], stat[3])]  # children that ended are in the last two
        ticks = sum(int(stat[13]) + int(stat[14]) + (int(stat[15]) + int(stat[16]) if stat[0] == pid else 0) for stat in own)
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends sessions and shuts down, SIGQUIT stops at once as a crash would."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        """Stops and deletes everything."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._home, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run([self._bin / program, *arguments], capture_output=True, check=False, **self._as_user)
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.decode()}")


def _stat(path: Path) -> list[str]:
    """Fields of a process, counted as in proc(5) from 0 with the name's brackets as one; none when it has ended."""
    try:
        pid, _, rest = path.read_text().partition(" (")
    except OSError:
        return []
    return [pid, "", *rest.rpartition(") ")[2].split()]


def _unprivileged(home: Path) -> dict[str, Any]:
    """Arguments of Popen that make a process run as somebody who may run PostgreSQL; root may not."""
    if os.geteuid() != 0:
        return {}
    user = _first(lambda: pwd.getpwnam("postgres"), lambda: pwd.getpwnam("nobody"))
    os.chown(home, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": home}


def _first(*attempts: Callable[[], pwd.struct_passwd]) -> pwd.struct_passwd:
    for attempt in attempts:
        try:
            return attempt()
        except KeyError:
            continue
    raise NoServerBinary("no user to run PostgreSQL as")
