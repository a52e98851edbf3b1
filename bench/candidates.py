"""The services that are measured, each in its best configuration, on the same servers."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.ground import Ground, process, wait_for


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def naive(ground: Ground, database_url: str, processes: int) -> Iterator[str]:
    port = free_port()
    arguments = ["-m", "uvicorn", "bench.naive:app", "--port", str(port), "--no-access-log"]
    arguments += ["--workers", str(processes)] if processes > 1 else []
    environment = {"DATABASE_URL": database_url, "REDIS_URL": ground.redis_url}
    with process(arguments, environment):
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/openapi.json")
        yield url


@contextmanager
def noop(processes: int) -> Iterator[str]:
    port = free_port()
    arguments = ["-m", "uvicorn", "bench.noop:app", "--port", str(port), "--no-access-log"]
    arguments += ["--workers", str(processes)] if processes > 1 else []
    with process(arguments, {}):
        url = f"http://127.0.0.1:{port}"
        wait_for(url)
        yield url


@contextmanager
def ours(ground: Ground, database_url: str, processes: int) -> Iterator[str]:
    port = free_port()
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": ground.redis_url,
        "VITALRELAY_LOG_LEVEL": "error",
    }
    with ExitStack() as stack:
        for _ in range(processes):
            stack.enter_context(
                process(["-m", "vitalrelay", "api", "--port", str(port)], environment)
            )
        stack.enter_context(process(["-m", "vitalrelay", "worker"], environment))
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/readyz")
        yield url
