"""Pictures for the documentation: ``python -m tests.dashboard.pictures`` draws them anew from the story."""

import shutil
import tempfile
import time
from pathlib import Path

from tests.dashboard.browser import browser
from tests.dashboard.conftest import DashboardServer
from tests.dashboard.story import refusals, story
from tests.dashboard.test_pages import asked

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDTH = 1440


def main() -> None:
    """Draws the overview and a trace."""
    folder = Path(tempfile.mkdtemp(prefix="otel-llm-pictures-"))
    server = DashboardServer(folder)
    try:
        now = time.time_ns()
        server.store(story(now, traces_a_day=400), refusals(now))
        recent = asked(server, "/calls/search?limit=200&streaming=true")["calls"]
        traces = (asked(server, f"/traces/{call['trace_id']}?detail=waterfall") for call in recent)
        longest = max(traces, key=lambda trace: trace["span_count"])
        span = next(one["span_id"] for one in longest["spans"] if one["ttft_ms"] is not None)
        with browser() as window:
            window.base = server.url
            window.reset()
            for name, path, height in (
                ("dashboard", "/?range=7d&split=model", 1130),
                ("trace", f"/ui/traces/{longest['trace_id']}?span={span}", 760),
            ):
                window.size(WIDTH, height)
                window.open(path)
                time.sleep(1)  # the line that says "loading" fades
                window.driver.save_screenshot(str(IMAGES / f"{name}.png"))
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
