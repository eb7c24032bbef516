"""pylangdb 0.2: analytics, its data frame, and the cost of a thread."""

import json
import os

import requests
from pylangdb import LangDb

url, secret, project = os.environ["API_URL"], os.environ["SECRET_KEY"], os.environ["PROJECT"]
client = LangDb(api_key=secret, project_id=project, base_url=url)


def status_of(ask):
    try:
        ask()
    except requests.HTTPError as error:
        return [error.response.status_code, error.response.json()]


frame = client.get_analytics_dataframe(tags="run")
usage = client.get_usage("thread-1")
print(
    json.dumps(
        {
            "analytics": client.get_analytics(tags="run"),
            "frame": json.loads(frame.to_json(orient="records")),
            "usage": [usage.total_cost, usage.total_output_tokens, usage.total_input_tokens],
            "bad key": status_of(lambda: LangDb("wrong", project, url).get_analytics(tags="run")),
            "bad project": status_of(lambda: LangDb(secret, "nowhere", url).get_analytics(tags="run")),
            "bad time": status_of(lambda: client.get_analytics(tags="run", start_time_us=2, end_time_us=1)),
        }
    )
)
