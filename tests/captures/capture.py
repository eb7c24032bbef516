"""Captures what real libraries export: runs each in an environment of its own against the model server, and records.

    python -m tests.captures.capture                 # every library
    python -m tests.captures.capture mlflow strands  # some
    python -m tests.captures.capture mlflow/tool     # one scenario

Writes ``tests/corpus/LIBRARY/SCENARIO/``. The environments are made once, in ``--venvs`` (outside of the repository).
Start it at the root of the repository.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "examples"))

from model_server import ModelServer  # noqa: E402  (the examples are no package)

from tests.captures.libraries import LIBRARIES, Library, Scenario  # noqa: E402
from tests.captures.recorder import Recorded, Recorder  # noqa: E402
from tests.captures.scrub import scrubbed  # noqa: E402
from tests.captures.truth import expected  # noqa: E402

APPS = Path(__file__).parent / "apps"
CORPUS = ROOT / "tests" / "corpus"
FIRST_TOKEN_S, TOKEN_S = 0.2, 0.03
"""Streams send the first token after 200 ms and run for about 550, so that no two times can be taken for each other."""
TOO_BIG = 50_000


def python_of(library: Library, venvs: Path) -> Path:
    """The interpreter of the library's environment, made and filled if need be."""
    place = venvs / library.venv
    python = place / "bin" / "python"
    if not (place / ".done").exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True, timeout=120)
        install = [python, "-m", "pip", "install", "-q", *library.requirements]
        subprocess.run(install, check=True, timeout=600)
        (place / ".done").touch()
    return python


def versions(python: Path, library: Library) -> dict[str, str]:
    """Installed versions of the packages that make the export."""
    names = [requirement.partition("[")[0].partition(">")[0] for requirement in library.requirements]
    code = "import sys, json, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    done = subprocess.run([python, "-c", code, *names], capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def capture(library: Library, scenario: Scenario, python: Path, packages: dict[str, str], out: Path) -> None:
    """Runs one scenario and writes its folder."""
    with Recorder() as recorder, ModelServer(first_token_delay=FIRST_TOKEN_S, token_delay=TOKEN_S) as model:
        endpoint = recorder.grpc_url if library.transport == "grpc" else recorder.http_url
        inherited = {name: os.environ[name] for name in ("PATH", "SSL_CERT_FILE", "LANG") if name in os.environ}
        environment = {
            **inherited,
            "HOME": tempfile.mkdtemp(prefix="capture-home-"),
            "MODEL_URL": model.url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if library.transport == "grpc" else "http/protobuf",
            "OTEL_SERVICE_NAME": f"capture-{library.name}",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=corpus",
            "OPENAI_API_KEY": "sk-none",
            "PYTHONPATH": str(APPS),
            **{name: value.format(endpoint=endpoint, model=model.url) for name, value in library.environment.items()},
            **scenario.environment,
        }
        app = APPS / f"{library.app or library.name}_app.py"
        command = [python, app, scenario.name, json.dumps([scenario.user, scenario.session, scenario.tags])]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, cwd="/tmp", check=False)
        if done.returncode:
            raise RuntimeError(f"{library.name}/{scenario.name}: {done.stderr[-3000:]}{done.stdout[-500:]}")
        time.sleep(0.3)  # whatever the app's last flush still sends
        requests, calls = list(recorder.requests), list(model.calls)
    write(out, library, scenario, packages, calls, requests)
    size = sum(len(request.body) for request in requests)
    spans = sum(request.signal == "traces" for request in requests)
    note = "  TOO BIG" if size > TOO_BIG else ""
    print(f"{library.name}/{scenario.name}: {len(calls)} calls, {spans} trace requests, {size:,} bytes{note}", flush=True)
    if not spans:
        print(done.stderr[-1500:])


def write(
    out: Path, library: Library, scenario: Scenario, packages: dict[str, str], calls: list[Any], requests: list[Recorded]
) -> None:
    """The folder of one scenario, in the layout of ``tests/corpus/README.md``."""
    folder = out / library.name / scenario.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    entries, touched = [], False
    for number, request in enumerate(requests):
        body, changed = scrubbed(request.signal, request.encoding, request.body)
        touched |= changed
        file = f"{number:03}_{request.signal}.{'json' if request.encoding == 'json' else 'pb'}"
        (folder / file).write_bytes(body)
        about = {name: getattr(request, name) for name in ("signal", "transport", "encoding", "compression", "path", "headers")}
        entries.append({"file": file, **about, "bytes": len(body)})
    meta = {
        "library": library.name,
        "scenario": scenario.name,
        "captured_by": "tests/captures",
        "packages": packages,
        "app": {"does": scenario.does},
        "requests": entries,
        "response_ids": [call.id for call in calls],
        "scrubbed": touched,
    }
    _write_json(folder / "meta.json", meta)
    _write_json(folder / "expected.json", expected(library, scenario, calls, requests))


def _write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("wanted", nargs="*", help="LIBRARY or LIBRARY/SCENARIO; all without")
    parser.add_argument("--venvs", type=Path, default=Path(tempfile.gettempdir()) / "captures" / "venvs")
    parser.add_argument("--out", type=Path, default=CORPUS)
    options = parser.parse_args()
    options.venvs.mkdir(parents=True, exist_ok=True)
    failed = 0
    for library in LIBRARIES:
        names = {each.partition("/")[2] for each in options.wanted if each.partition("/")[0] == library.name}
        if options.wanted and not names:
            continue
        python = python_of(library, options.venvs)
        packages = versions(python, library)
        for scenario in library.scenarios:
            if "" in names or not names or scenario.name in names:
                try:
                    capture(library, scenario, python, packages, options.out)
                except (RuntimeError, subprocess.TimeoutExpired) as error:
                    failed += 1
                    print(f"FAILED {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
