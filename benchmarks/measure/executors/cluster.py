"""A Ray cluster: joined where a person names it, else started for one run, in a folder of its own, and removed."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import signal
import socket
import tempfile
from pathlib import Path
from typing import Any

import psutil

import zoo
from benchmarks.measure.executors.executor import ExecutorError, Say
from benchmarks.measure.worker import OUTPUT, signals_held
from benchmarks.plan.cost import usable_gpus
from benchmarks.records.environment import effective_cpus
from zoo.shell import Interrupted

__all__ = ["Cluster"]

CURRENT = Path("/tmp/ray/ray_current_cluster")  # where `ray start` writes the address of its cluster
OBJECTS = 100 << 20  # bytes of shared memory for messages; Ray takes 30 % of the memory unless told otherwise,
SMALLEST = 80 << 20  # and no less than this
LONGEST = 45  # characters of a folder's name in which sockets can be made
ANSWERS_WITHIN = 10.0  # seconds
# Ray asks the environment, before it is imported
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # else 15, at which a time is anybody's
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
}


class Cluster:
    """A connection to a cluster, which is this run's own where there is no address.

    Args:
        address: "auto" (`RAY_ADDRESS`, else that of this machine), "host:port" or "ray://host:port"; empty for none.
        ship_code: whether nodes get this project's files from here.
        say: told what a person should know.

    Raises:
        ExecutorError: Ray is not installed, or the cluster does not answer.
    """

    def __init__(self, address: str, *, ship_code: bool, say: Say) -> None:
        os.environ.update(QUIET)
        try:
            import ray
        except ImportError as error:
            raise ExecutorError(f"--executor ray needs Ray: pip install '.[ray]' ({error})") from None
        self._folder: Path | None = None
        shipped = _ship(say) if ship_code else {}
        options: dict[str, Any] = {
            "log_to_driver": False, "configure_logging": False, "logging_level": logging.ERROR, "runtime_env": shipped,
        }  # fmt: skip
        if not address:
            os.environ["RAY_AUTH_MODE"] = "disabled"  # else a token is written into the home; the cluster is this run's
            self._folder = _private_folder()
            options |= {
                "address": "local", "num_cpus": effective_cpus(), "num_gpus": usable_gpus(),
                "include_dashboard": False, "object_store_memory": _object_store(), "_temp_dir": str(self._folder),
            }  # fmt: skip
        else:
            options["address"] = _answering(address, say)
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with signals_held():
                ray.init(**options)
        except SystemExit:  # what Ray makes of SIGTERM
            self.close()
            raise Interrupted(signal.SIGTERM) from None
        except KeyboardInterrupt:
            self.close()
            raise
        except Exception as error:  # whatever a cluster throws: another version of Ray or Python, a token, a full disk
            self.close()
            raise ExecutorError(f"no Ray cluster{f' at {address}' if address else ''}: {error}") from None
        finally:
            for number, handler in handlers.items():
                with contextlib.suppress(ValueError):  # not the main thread, which has none
                    signal.signal(number, handler)  # Ray puts its own, which forgets to report

    def close(self) -> None:
        """Leaves the cluster; one of this run's own ends, and its folder is removed."""
        import ray

        ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _ship(say: Say) -> dict[str, Any]:
    """What makes every node take this project's files from here; how large they are is said."""
    packages = [Path(zoo.__file__).parent, Path(__file__).parents[2]]
    size = sum(
        path.stat().st_size
        for each in packages
        for path in each.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    )
    say(f"every node gets this project's code from here, {size / 1e6:.1f} MB")
    return {"py_modules": [str(each) for each in packages], "excludes": ["__pycache__"]}


def _private_folder() -> Path:
    """A new folder with a short name; what runs that were killed have left is removed."""
    temporary = Path(tempfile.gettempdir())
    parent = temporary if len(str(temporary)) + len(OUTPUT) + 20 <= LONGEST or os.name == "nt" else Path("/tmp")
    for path in parent.glob(f"{OUTPUT}*-*"):
        writer = re.fullmatch(rf"{OUTPUT}(\d+)-.*", path.name)
        if writer and path.is_dir() and not psutil.pid_exists(int(writer[1])):
            shutil.rmtree(path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{OUTPUT}{os.getpid()}-", dir=parent))


def _object_store() -> int:
    """Bytes of shared memory for messages: little, for a container has little."""
    with contextlib.suppress(OSError):
        return max(min(OBJECTS, shutil.disk_usage("/dev/shm").free // 2), SMALLEST)
    return OBJECTS


def _answering(address: str, say: Say) -> str:
    """The address of a cluster that answers."""
    found = address
    if address == "auto":
        source, found = "RAY_ADDRESS", os.environ.get("RAY_ADDRESS", "")
        if not found:
            with contextlib.suppress(OSError):
                source, found = str(CURRENT), CURRENT.read_text(encoding="utf-8").strip()
        if not found:
            raise ExecutorError(f"--address auto: no RAY_ADDRESS is set and there is no {CURRENT}; `ray start --head`, "
                                "or no --address for a cluster of the run's own")  # fmt: skip
        say(f"joins the cluster at {found} (by {source})")
    host, _, port = found.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=ANSWERS_WITHIN).close()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ExecutorError(f"no Ray cluster answers at {found}: {reason}; start it, or leave out --address for one of "
                            "the run's own") from None  # fmt: skip
    return found
