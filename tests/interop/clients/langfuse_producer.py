"""langfuse 5: a generation with usage, cost and a first token, posted to /api/public/otel/v1/traces."""

import json
import os
from datetime import UTC, datetime

from langfuse import Langfuse, propagate_attributes

client = Langfuse(
    public_key=os.environ["PUBLIC_KEY"],
    secret_key=os.environ["SECRET_KEY"],
    base_url=os.environ["API_URL"],
    environment="staging",
)
with (
    propagate_attributes(user_id="langfuse-user", session_id="langfuse-session", tags=["sdk"], trace_name="sdk-trace"),
    client.start_as_current_observation(as_type="span", name="work"),
    client.start_as_current_observation(as_type="generation", name="answer", model="gpt-4o-mini") as generation,
):
    generation.update(
        usage_details={"input": 30, "output": 12, "input_cached_tokens": 10},
        cost_details={"total": 0.25},
        completion_start_time=datetime.now(UTC),
    )
client.flush()
print(json.dumps("sent"))
