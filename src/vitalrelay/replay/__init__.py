"""Sending a stream of packets to an API, as gateways do, and saying what became of each."""
