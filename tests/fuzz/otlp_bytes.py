"""Coverage-guided fuzzing of request bytes: decode, extract and price, with atheris (``pip install --group fuzz``).

    python -m tests.fuzz.otlp_bytes FOLDER --signal traces --encoding protobuf -max_total_time=600

Without ``--signal`` and ``--encoding``, every signal in every encoding, one after another. The folder collects inputs that
reach new code; captured exports (``tests/corpus``) are the seeds. Options with one dash are libFuzzer's. An input that breaks
a promise ends the run and is left in a ``broken-...`` file: with that file for a folder it alone is tried again. Make it a
test in ``tests/fuzz/test_findings.py``.
"""

import argparse
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["otel_llm", "msgspec"]):
    from otel_llm.otlp.decode import Encoding
    from otel_llm.otlp.signals import SIGNALS, SignalName
    from tests.fuzz.extraction_path import check_bytes

from tests.fuzz.changes import change
from tests.fuzz.requests import KEYS, to_json

SEEDS = Path(__file__).resolve().parent.parent / "corpus"
ENCODINGS: tuple[Encoding, ...] = ("protobuf", "json")
LONGEST = 8_192
"""Bytes of an input; longer ones slow a run down and reach nothing more."""


def seed(signal: SignalName, encoding: Encoding, folder: Path) -> None:
    """Puts captured bodies into the folder, in the encoding that is fuzzed."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(sorted(SEEDS.glob(f"*/*/*_{signal}.pb"))):
        body = path.read_bytes()
        if encoding == "json":
            body = to_json(SIGNALS[signal].request.FromString(body))
        if len(body) <= LONGEST:
            (folder / f"seed-{number}").write_bytes(body)


def mutator(signal: SignalName, encoding: Encoding) -> Callable[[bytes, int, int], bytes]:
    """Half of the inputs change as messages, the other half as bytes."""

    def mutate(body: bytes, longest: int, chance_seed: int) -> bytes:
        chance = random.Random(chance_seed)
        changed = change(signal, encoding, body, chance) if chance.random() < 0.5 else None
        if changed is None or len(changed) > longest:
            return bytes(atheris.Mutate(body, longest))
        return changed

    return mutate


def fuzz(signal: SignalName, encoding: Encoding, folder: Path, options: list[str]) -> None:
    """Runs until libFuzzer's options say to stop, and ends the process."""
    name = f"{signal}-{encoding}"
    seed(signal, encoding, folder / name)
    words = folder / "keys.dict"
    words.write_text("".join(f'"{key}"\n' for key in KEYS if key.isascii() and '"' not in key and "\\" not in key))
    atheris.Setup(
        [
            sys.argv[0],
            str(folder / name),
            f"-artifact_prefix={folder}/broken-{name}-",
            f"-dict={words}",
            f"-max_len={LONGEST}",
            "-timeout=10",
            *options,
        ],
        lambda body: check_bytes(signal, body, encoding),
        custom_mutator=mutator(signal, encoding),
    )
    atheris.Fuzz()


def main() -> None:
    """One process for each combination, as libFuzzer ends the one it runs in."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--signal", choices=list(SIGNALS))
    parser.add_argument("--encoding", choices=ENCODINGS)
    given, options = parser.parse_known_args()
    if given.folder.is_file():
        if given.signal is None or given.encoding is None:
            parser.error("a single file needs --signal and --encoding")
        check_bytes(given.signal, given.folder.read_bytes(), given.encoding)
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    broken = 0
    for signal in SIGNALS if given.signal is None else [given.signal]:
        for encoding in ENCODINGS if given.encoding is None else [given.encoding]:
            print(f"{signal} in {encoding}", file=sys.stderr, flush=True)
            child = os.fork()
            if not child:
                fuzz(signal, encoding, given.folder, options)
            broken += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
    sys.exit(broken)


if __name__ == "__main__":
    main()
