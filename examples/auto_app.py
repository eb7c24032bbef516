"""An OpenAI app without a line about telemetry; ``opentelemetry-instrument`` and the otel_llm exporter do the rest.

    OTEL_SERVICE_NAME=auto-app OTEL_TRACES_EXPORTER=otel_llm OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none \
        opentelemetry-instrument python examples/auto_app.py --model-url http://127.0.0.1:8089
"""

import argparse

import openai


def main() -> None:
    parser = argparse.ArgumentParser(description="One streamed and one plain call.")
    parser.add_argument("--model-url", help="base URL of an OpenAI-compatible server (default: OpenAI)")
    options = parser.parse_args()
    client = openai.OpenAI(base_url=f"{options.model_url}/v1", api_key="none") if options.model_url else openai.OpenAI()
    question = [{"role": "user", "content": "What does a fox say"}]
    stream = client.chat.completions.create(
        model="gpt-4o-mini", messages=question, stream=True, stream_options={"include_usage": True}
    )
    print("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
    print(client.responses.create(model="gpt-4o", input="And what does a dog say").output_text)


if __name__ == "__main__":
    main()
