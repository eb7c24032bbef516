"""The operator's own prices: a TOML file of rules that win over the price table. Format: ``docs/pricing.md``."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import translate
from math import isfinite
from pathlib import Path
from typing import Any

from otel_llm.errors import ConfigError
from otel_llm.pricing.tariff import Rates, Tariff

_RATES = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")
_UNITS = {"_per_million": 1.0, "_per_token": 1_000_000.0}
_RATE_FIELDS = {f"{name}{unit}": (name, factor) for name in _RATES for unit, factor in _UNITS.items()}
_FIELDS = ("name", "provider", "model", "from", "until", *_RATE_FIELDS)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Override:
    """One rule: calls of matching providers and models that start in [from_ns, until_ns) have this tariff."""

    provider: re.Pattern[str]
    model: re.Pattern[str]
    from_ns: int | None
    until_ns: int | None
    tariff: Tariff

    def matches(self, provider: str, models: Sequence[str]) -> bool:
        """True for a provider ("" when unknown) and one of the models of a call."""
        return bool(self.provider.match(provider.lower())) and any(self.model.match(model.lower()) for model in models)

    def holds_at(self, time_ns: int) -> bool:
        """True within the rule's time."""
        return (self.from_ns is None or self.from_ns <= time_ns) and (self.until_ns is None or time_ns < self.until_ns)


def read_overrides(path: Path) -> list[Override]:
    """The rules of a file, in order: the first that matches a call is its price. Raises ConfigError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"prices file {path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"prices file {path}: not valid TOML ({error})") from error
    unknown = [key for key in document if key != "price"]
    entries = document.get("price", [])
    if unknown or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        what = f"unknown table {unknown[0]!r}" if unknown else "'price' is no list of tables"
        raise ConfigError(f"prices file {path}: {what}; every rule is a [[price]] table")
    return [_Entry(f"prices file {path}, price {number}", entry).override() for number, entry in enumerate(entries, 1)]


class _Entry:
    """One [[price]] table, and where it is, for errors."""

    def __init__(self, where: str, values: Mapping[str, Any]) -> None:
        name = values.get("name")
        self._where = f"{where} ({name})" if isinstance(name, str) else where
        self._values = values

    def override(self) -> Override:
        for field in self._values:
            if field not in _FIELDS:
                raise self._error(field, f"is no field of a price; the fields are {', '.join(_FIELDS)}")
        from_ns, until_ns = self._time("from"), self._time("until")
        if from_ns is not None and until_ns is not None and until_ns <= from_ns:
            raise self._error("until", "must lie after 'from'")
        model = self._text("model")
        if model is None:
            raise self._error("model", "is missing: a name or a pattern such as 'gpt-4o*'")
        provider = self._text("provider") or "*"
        name = self._text("name") or (model if provider == "*" else f"{provider}/{model}")
        tariff = Tariff([(-1, self._rates())], f"override: {name}")
        return Override(_pattern(provider), _pattern(model), from_ns, until_ns, tariff)

    def _rates(self) -> Rates:
        rates: dict[str, float] = {}
        for field, (name, factor) in _RATE_FIELDS.items():
            value = self._values.get(field)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
                raise self._error(field, f"must be a number of USD, 0 or more, not {value!r}")
            if name in rates:
                raise self._error(field, f"is given twice, per million and per token; give {name} once")
            rates[name] = value * factor
        if "input" not in rates and "output" not in rates:
            raise self._error("input_per_million", "is missing, and so is output_per_million; a price needs one of them")
        base, output = rates.get("input", 0.0), rates.get("output", 0.0)
        write = rates.get("cache_write", base)
        return Rates(
            input=base,
            output=output,
            cache_read=rates.get("cache_read", base),
            cache_write=write,
            cache_write_1h=rates.get("cache_write_1h", write),
            reasoning=rates.get("reasoning", output),
        )

    def _text(self, field: str) -> str | None:
        value = self._values.get(field)
        if value is None or (isinstance(value, str) and value):
            return value
        raise self._error(field, f"must be a text, not {value!r}")

    def _time(self, field: str) -> int | None:
        value = self._values.get(field)
        if value is None:
            return None
        if isinstance(value, datetime):
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        elif isinstance(value, date):
            moment = datetime.combine(value, time(tzinfo=UTC))
        else:
            raise self._error(field, f"must be a date or a time such as 2026-01-31, without quotes, not {value!r}")
        return (moment - _EPOCH) // timedelta(microseconds=1) * 1000

    def _error(self, field: str, text: str) -> ConfigError:
        return ConfigError(f"{self._where}: {field!r} {text}")


def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob.lower()))
