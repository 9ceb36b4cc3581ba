"""/metrics counts requests, their time and the answers to webhooks, in one process and over several."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.checkout.conftest import Shop

TOKEN = "metrics-token-of-the-tests"
EVENT = {"id": "evt_1", "object": "event", "type": "customer.created", "livemode": False, "data": {"object": {}}}


@pytest.fixture
def guarded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setitem(shop.app.config, "SETTINGS", replace(shop.settings, metrics_token=TOKEN))
    return shop


def read(shop: Shop) -> dict[tuple[str, ...], float]:
    """Every counter's value by its name and its labels in the order of their names."""
    text = shop.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    return read_text(text)


def read_text(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        if family.type in {"counter", "histogram"}
        for sample in family.samples
    }


def count_new(before: dict[tuple[str, ...], float], after: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], int]:
    """What was added, without the request for the metrics itself, times and buckets."""
    return {
        key: int(value - before.get(key, 0))
        for key, value in after.items()
        if value != before.get(key, 0) and key[0].endswith(("_total", "_count")) and "site.metrics" not in key
    }


def test_requests_are_counted_by_method_endpoint_and_class_of_status(guarded: Shop) -> None:
    before = read(guarded)

    for _ in range(3):
        guarded.client.get("/courses")
    guarded.client.get("/courses/no-such-course")
    guarded.client.get("/no/such/address")
    guarded.client.open("/courses", method="BREW")

    assert count_new(before, read(guarded)) == {
        ("tuition_http_requests_total", "site.courses", "GET", "2xx"): 3,
        ("tuition_http_requests_total", "site.course", "GET", "4xx"): 1,
        ("tuition_http_requests_total", "none", "GET", "4xx"): 1,
        ("tuition_http_requests_total", "none", "other", "4xx"): 1,
        ("tuition_http_request_seconds_count", "site.courses"): 3,
        ("tuition_http_request_seconds_count", "site.course"): 1,
        ("tuition_http_request_seconds_count", "none"): 2,
    }


def test_answers_to_webhooks_are_counted_by_status(guarded: Shop) -> None:
    before = read(guarded)

    guarded.send(EVENT)
    guarded.send(EVENT)
    guarded.send(EVENT, secret="whsec_" + "x" * 32)
    guarded.client.post("/webhooks/stripe/", data=b"x" * 600_000)

    new = count_new(before, read(guarded))
    assert {key[1]: value for key, value in new.items() if key[0] == "tuition_webhook_answers_total"} == {
        "200": 2,
        "400": 1,
        "413": 1,
    }


def test_made_up_addresses_make_no_new_rows(guarded: Shop) -> None:
    guarded.client.get("/no/such/address")
    before = set(read(guarded))

    for number in range(20):
        guarded.client.get(f"/no/such/address/{number}")

    assert set(read(guarded)) == before


PROCESS = """
import sys
from dataclasses import replace
from pathlib import Path
from app import create_app
from app.config import load_settings
from app.metrics import render_counters

app = create_app(replace(load_settings(Path(sys.argv[1])), app_env="test", metrics_token=sys.argv[2]))
client = app.test_client()
for _ in range(int(sys.argv[3])):
    client.get("/healthz", base_url="http://127.0.0.1:5000")
sys.stdout.write(render_counters().decode())
"""


@pytest.mark.slow
def test_several_processes_tell_one_sum(tmp_path: Path) -> None:
    """Each process that has answered is in the sum of the next one, though it has ended."""
    folder = tmp_path / "metrics"
    folder.mkdir()

    outputs = [
        subprocess.run(
            [sys.executable, "-c", PROCESS, str(tmp_path), TOKEN, str(count)],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}, capture_output=True, text=True, check=True,
        ).stdout
        for count in (2, 5)
    ]  # fmt: skip

    key = ("tuition_http_requests_total", "site.health", "GET", "2xx")
    assert [read_text(output)[key] for output in outputs] == [2, 7]
