"""An Anthropic app, set up in one line, with user and session on every span.

python examples/anthropic_app.py --model-url http://127.0.0.1:8089
"""

import argparse

import anthropic

import otel_llm

MODEL = "claude-haiku-4-5"


def main() -> None:
    parser = argparse.ArgumentParser(description="Streamed, cached and refused calls.")
    parser.add_argument("--model-url", help="base URL of an Anthropic-compatible server (default: Anthropic)")
    parser.add_argument("--endpoint", help="OTLP endpoint of the collector (default: http://localhost:4318)")
    options = parser.parse_args()

    otel_llm.configure(service_name="anthropic-app", endpoint=options.endpoint, instrument=["anthropic"])
    if options.model_url:
        client = anthropic.Anthropic(base_url=options.model_url, api_key="none", max_retries=0)
    else:
        client = anthropic.Anthropic(max_retries=0)

    with otel_llm.context(user="ann", session="chat-1", tags=["example"]):
        question = {"role": "user", "content": "Tell me about foxes"}
        with client.messages.stream(model=MODEL, max_tokens=20, messages=[question]) as stream:
            print("".join(stream.text_stream))
        rules = [{"type": "text", "text": "be kind " * 100, "cache_control": {"type": "ephemeral"}}]
        answer = client.messages.create(model=MODEL, max_tokens=10, system=rules, messages=[question])
        print(f"{answer.usage.cache_read_input_tokens} tokens came from the cache")
        try:
            client.messages.create(model=f"{MODEL}-rate-limited", max_tokens=10, messages=[question])
        except anthropic.APIStatusError as error:
            print(f"refused: {error.status_code}")
    otel_llm.shutdown()


if __name__ == "__main__":
    main()
