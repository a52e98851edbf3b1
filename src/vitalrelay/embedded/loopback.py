"""Addresses that only this machine can reach."""

import secrets
import socket

HOST = "127.0.0.1"
# Below the range from which the kernel takes the near ends of connections: there, nothing else
# takes our port while a server is down, not even a client that is trying to reconnect.
OUR_PORTS = range(20000, 32768)


def a_free_port() -> int:
    ports = secrets.SystemRandom().sample(OUR_PORTS, k=len(OUR_PORTS))
    return next(port for port in ports if is_free(port))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
