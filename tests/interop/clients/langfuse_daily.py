"""langfuse 2.60: the daily metrics, asked by its sync and its async client, and its error classes."""

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta, timezone

from langfuse import Langfuse
from langfuse.api.client import AsyncFernLangfuse, FernLangfuse

url, public, secret = os.environ["API_URL"], os.environ["PUBLIC_KEY"], os.environ["SECRET_KEY"]
now = datetime.fromtimestamp(int(os.environ["NOW_US"]) / 1e6, UTC)
metrics = Langfuse(public_key=public, secret_key=secret, host=url).api.metrics
plain = lambda found: json.loads(found.json())  # noqa: E731


def error_of(ask):
    try:
        ask()
    except Exception as error:
        return [type(error).__name__, getattr(error, "status_code", None), getattr(error, "body", None)]


async def asynchronous():
    client = AsyncFernLangfuse(base_url=url, username=public, password=secret)
    return plain(await client.metrics.daily(limit=1))


wrong = FernLangfuse(base_url=url, username=public, password="sk-wrong")
print(
    json.dumps(
        {
            "all": plain(metrics.daily()),
            "async": asyncio.run(asynchronous()),
            "filtered": plain(
                metrics.daily(
                    page=1,
                    limit=10,
                    trace_name="my-copilot",
                    user_id="john",
                    tags=["a,b", "c"],
                    environment=["default", "other"],
                    from_timestamp=now - timedelta(hours=1),
                    to_timestamp=now.astimezone(timezone(timedelta(hours=2))),
                )
            ),
            "nothing": plain(metrics.daily(user_id="jane")),
            "bad limit": error_of(lambda: metrics.daily(limit=101)),
            "bad key": error_of(wrong.metrics.daily),
        }
    )
)
