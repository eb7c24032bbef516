"""agentlensai 0.12: LLM analytics and events, sync and async, and its error classes."""

import asyncio
import json
import os

from agentlensai import AgentLensClient, AsyncAgentLensClient
from agentlensai.models import EventQuery, LlmAnalyticsParams

url, secret = os.environ["API_URL"], os.environ["SECRET_KEY"]
asked = LlmAnalyticsParams(agent_id="shop-agent", model="gpt-4o", provider="openai", granularity="day")


def error_of(ask):
    try:
        ask()
    except Exception as error:
        return [type(error).__name__, getattr(error, "status", None), str(error)]


async def asynchronous():
    async with AsyncAgentLensClient(url, api_key=secret) as client:
        return (await client.get_llm_analytics()).model_dump()


with AgentLensClient(url, api_key=secret) as client:
    print(
        json.dumps(
            {
                "analytics": client.get_llm_analytics(asked).model_dump(),
                "async": asyncio.run(asynchronous()),
                "events": client.query_events(EventQuery(event_type="llm_response", limit=2, order="asc")).model_dump(),
                "bad time": error_of(lambda: client.get_llm_analytics(LlmAnalyticsParams(from_time="garbage"))),
                "bad key": error_of(AgentLensClient(url, api_key="als_wrong").get_llm_analytics),
                "no key": error_of(AgentLensClient(url).get_llm_analytics),
                "unknown path": error_of(lambda: client.get_session("s-1")),
            }
        )
    )
