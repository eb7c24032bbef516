"""One file per command; :mod:`otel_llm.cli.main` finds them here."""
