"""The harness on a CUDA device: a small job to its report, with times that waited for the device."""

import json
import subprocess
import sys

import pytest
import torch

from benchmarks.records.store import RECORDS, read_records

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]

PEAK = 2e15  # multiply-adds a second that no card of today reaches


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpu")
    command = [
        sys.executable, "-m", "benchmarks.run", "--models", "resnet18,vgg11", "--device", "cuda", "--max-time", "1",
        "--metrics", "params,mult_adds,latency,throughput,memory", "--batch-size", "1,16", "--output-dir", str(folder),
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return folder, ended, read_records(folder / RECORDS).records


def test_it_reaches_its_report(job):
    folder, ended, records = job
    assert ended.returncode == 0, ended.stderr
    assert {record.status for record in records} == {"ok"}
    page = (folder / "details.md").read_text(encoding="utf-8")
    assert "on cuda" in page
    assert torch.cuda.get_device_name() in json.dumps(json.loads((folder / "environment.json").read_text("utf-8")))


def test_the_clock_waits_for_the_device(job):
    """Unsynchronised, a call takes as long for sixteen images as for one, and the card works faster than it can."""
    _, _, records = job
    work = {each.case.model: each.value("mult_adds") for each in records if each.case.metric == "mult_adds"}
    times = {
        (each.case.model, each.case.batch_size): each.value("latency_s")
        for each in records
        if each.case.metric == "latency"
    }
    for (model, images), seconds in times.items():
        assert work[model] * images / seconds < PEAK
    assert times["vgg11", 16] > 2 * times["vgg11", 1]


def test_memory_has_the_allocators_peaks(job):
    _, _, records = job
    found = [each for each in records if each.case.metric == "memory"]
    assert found
    for each in found:
        allocated, reserved, weights = map(each.value, ("cuda_allocated_bytes", "cuda_reserved_bytes", "weights_bytes"))
        assert reserved >= allocated > weights
