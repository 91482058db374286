"""What opening runtimes leaves in the process: signals that are answered, room for more of them, nothing imported."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import zoo
from tests.zoo.small import images, small
from zoo.runtimes import RUNTIMES

HERE = [name for name, runtime in RUNTIMES.items() if runtime.unavailable() is None]
SIGNAL_AFTER_CLOSING = """
import os, signal, sys, threading
import zoo
from tests.zoo.small import images, small

def forget(sessions):
    while sessions:
        del sessions[0]  # the first opened is the first to go

for name in sys.argv[1:]:
    here, elsewhere = ([zoo.open_runtime(small(), images(1), name) for _ in range(2)] for _ in range(2))
    forget(here)
    other = threading.Thread(target=forget, args=(elsewhere,))
    other.start()
    other.join()
heard = []
signal.signal(signal.SIGTERM, lambda *_: heard.append(True))
os.kill(os.getpid(), signal.SIGTERM)
print("heard" if heard else "lost")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")
def test_a_signal_is_answered_after_sessions_were_closed():
    """OpenVINO leaves a thread the stack for signals of a core that is gone, if another was made meanwhile."""
    names = [name for name in HERE if name != "compiled"]
    command = [sys.executable, "-c", SIGNAL_AFTER_CLOSING, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "heard"), done.stderr[-1000:]


@pytest.mark.skipif("compiled" not in HERE, reason="needs a C++ compiler")
def test_any_number_of_networks_can_be_compiled(monkeypatch):
    """Dynamo compiles one code object a few times and no more, and all networks share those of their classes."""
    from torch._dynamo import config

    monkeypatch.setattr(config, "recompile_limit", 1)
    models = [small() for _ in range(3)]
    for number, model in enumerate(models):
        model.head = torch.nn.Sequential(*model.head, *[torch.nn.ReLU()] * number).eval()
        logits = zoo.open_runtime(model, images(1), "compiled")(images(1))
        torch.testing.assert_close(logits, model(images(1)), rtol=1e-4, atol=1e-4)


def test_names_are_read_without_torch():
    code = "import sys, zoo, zoo.runtimes; assert 'torch' not in sys.modules; print(*zoo.runtimes.RUNTIMES)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(RUNTIMES)
