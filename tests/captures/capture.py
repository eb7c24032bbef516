"""Captures what real libraries export: runs each in an environment of its own against the model server, and records.

    python -m tests.captures.capture                 # every library
    python -m tests.captures.capture mlflow strands  # some
    python -m tests.captures.capture mlflow/tool     # one scenario

Writes ``tests/corpus/LIBRARY/SCENARIO/``. The environments are made once, in ``--venvs`` (outside of the repository).
Start it at the root of the repository.
"""

import argparse
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
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
TIMEOUT_S = 600.0


def installed(library: Library, venvs: Path) -> Path:
    """The library's environment (a Python one, or a folder of npm packages), made and filled if need be."""
    place = venvs / library.venv
    if not (place / ".done").exists():
        if library.runtime == "node":
            place.mkdir(exist_ok=True)
            subprocess.run(["npm", "install", "--silent", *library.requirements], cwd=place, check=True, timeout=600)
        else:
            subprocess.run([sys.executable, "-m", "venv", place], check=True, timeout=120)
            install = [place / "bin" / "python", "-m", "pip", "install", "-q", *library.requirements]
            subprocess.run(install, check=True, timeout=600)
        (place / ".done").touch()
    return place


def command(library: Library, place: Path) -> list[Path | str]:
    """What runs the library's app."""
    app = APPS / f"{library.app or library.name}_app.{'mjs' if library.runtime == 'node' else 'py'}"
    if library.runtime != "node":
        return [place / "bin" / "python", app]
    return ["node", Path(shutil.copy(app, place))]  # beside its packages, where node looks for them


def versions(place: Path, library: Library) -> dict[str, str]:
    """Installed versions of the packages that make the export."""
    if library.runtime == "node":
        files = {name: place / "node_modules" / name / "package.json" for name in library.requirements}
        return {name: json.loads(file.read_text())["version"] for name, file in files.items()}
    names = [re.split(r"[\[<>=]", requirement)[0] for requirement in library.requirements]
    code = "import sys, json, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    python = place / "bin" / "python"
    done = subprocess.run([python, "-c", code, *names], capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def capture(library: Library, scenarios: Sequence[Scenario], place: Path, packages: dict[str, str], out: Path) -> int:
    """Runs scenarios one after the other in one process of the app and writes their folders; returns how many failed."""
    failed = 0
    with Recorder() as recorder, ModelServer(first_token_delay=FIRST_TOKEN_S, token_delay=TOKEN_S) as model:
        first = scenarios[0]
        names = ",".join(scenario.name for scenario in scenarios)
        process = subprocess.Popen(
            [*command(library, place), names, json.dumps([first.user, first.session, first.tags])],
            env=_environment(library, first, recorder, model),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tempfile.mkdtemp(prefix="capture-"),
        )
        assert process.stdin
        assert process.stdout
        assert process.stderr
        watchdog = threading.Timer(TIMEOUT_S, process.kill)
        watchdog.start()
        errors: list[str] = []
        reader = threading.Thread(target=lambda lines: errors.extend(lines), args=(process.stderr,), daemon=True)
        reader.start()
        waiting = {scenario.name: scenario for scenario in scenarios}
        bad: set[str] = set()
        for line in process.stdout:
            word, _, name = line.strip().partition(" ")
            if word == "FAILED":
                bad.add(name)
            if word != "DONE":
                continue
            time.sleep(0.3)  # whatever the flush still sends
            requests, calls = list(recorder.requests), list(model.calls)
            recorder.requests.clear()
            model.calls.clear()
            scenario = waiting.pop(name)
            if name in bad or not any(request.signal == "traces" for request in requests):
                failed += 1
                print(f"FAILED {library.name}/{name}: {''.join(errors)[-800:]}", flush=True)
            else:
                write(out, library, scenario, packages, calls, requests)
                size = sum(len(request.body) for request in requests)
                note = "  TOO BIG" if size > TOO_BIG else ""
                print(f"{library.name}/{name}: {len(calls)} calls, {len(requests)} requests, {size:,} bytes{note}", flush=True)
            errors.clear()
            process.stdin.write("\n")
            process.stdin.flush()
        process.wait()
        watchdog.cancel()
        reader.join(5)
        if waiting:
            failed += len(waiting)
            print(f"FAILED {library.name}: {sorted(waiting)} did not run: {''.join(errors)[-800:]}", flush=True)
    return failed


def _environment(library: Library, scenario: Scenario, recorder: Recorder, model: ModelServer) -> dict[str, str]:
    endpoint = recorder.grpc_url if library.transport == "grpc" else recorder.http_url
    inherited = {name: os.environ[name] for name in ("PATH", "SSL_CERT_FILE", "LANG") if name in os.environ}
    return {
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


def _alike(scenario: Scenario) -> str:
    """What scenarios share that may run in one process."""
    both = scenario.name.endswith("_both")
    return json.dumps([scenario.user, scenario.session, scenario.tags, dict(scenario.environment), both])


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
        place = installed(library, options.venvs)
        packages = versions(place, library)
        wanted = [each for each in library.scenarios if "" in names or not names or each.name in names]
        for _, alike in itertools.groupby(sorted(wanted, key=_alike), key=_alike):
            failed += capture(library, tuple(alike), place, packages, options.out)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
