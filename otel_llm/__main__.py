"""``python -m otel_llm``: the command line where no script is on the path."""

from otel_llm.cli.main import main

if __name__ == "__main__":
    main(prog_name="otel-llm")
