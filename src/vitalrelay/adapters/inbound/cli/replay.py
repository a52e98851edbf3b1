"""``vitalrelay replay``: the options. What they order is done elsewhere, and imported only then."""

from pathlib import Path
from typing import Annotated

import typer

SOURCE = "A file or - (one packet per line), a directory of PhysioNet records, or a ward: ward:24."
FORMAT = "ndjson, physionet2019, physionet2012 or synthetic; else what SOURCE looks like."
RATE = "Packets per second, evenly."
SPEED = "As their timestamps say, this many times as fast."
AS_FAST = "Whenever a connection is free. Without any of the three: this, and wards in real time."
BATCH = "Packets per request; above 1 they go to the batch endpoint."
DUPLICATES = "Share of packets that are sent a second time, from 0 to 1."
SHUFFLE = "Seconds of event time within which packets change places."
CORRUPT = "Share of packets that are replaced by damaged ones, which are to be refused."
ACK_LOG = "Add a line per packet and attempt to this file (for vitalrelay verify)."
REPORT = "Write a report to this HTML file; it needs nothing but itself."
START = "A ward's first moment, like 2026-01-01T00:00:00Z; without it the ward is live."
GIVE_UP = "Seconds after which a packet that gets no final answer is given up."
TIMEOUT = "Seconds of silence after which an answer is given up."
MAX_P99 = "Exit with 1 if the 99th percentile of the latency is above this."
CREDENTIALS = "JSON file with the token to send as 'gateway'."


def replay(  # noqa: PLR0913, PLR0917 - the options of a command are its arguments
    source: Annotated[str, typer.Argument(help=SOURCE)],
    url: Annotated[str, typer.Option(help="Where the API is.")] = "http://127.0.0.1:8000",
    format: Annotated[str | None, typer.Option(help=FORMAT)] = None,
    rate: Annotated[float | None, typer.Option(help=RATE)] = None,
    speed: Annotated[float | None, typer.Option(help=SPEED)] = None,
    as_fast_as_possible: Annotated[
        bool, typer.Option("--as-fast-as-possible", help=AS_FAST)
    ] = False,
    connections: Annotated[int, typer.Option(help="How much may be in flight.")] = 16,
    batch: Annotated[int, typer.Option(help=BATCH)] = 1,
    duplicates: Annotated[float, typer.Option(help=DUPLICATES)] = 0.0,
    shuffle: Annotated[float, typer.Option(help=SHUFFLE)] = 0.0,
    corrupt: Annotated[float, typer.Option(help=CORRUPT)] = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed, the same disturbance.")] = 1,
    packets: Annotated[int | None, typer.Option(help="Stop after this many packets.")] = None,
    duration: Annotated[float | None, typer.Option(help="Stop after so many seconds.")] = None,
    start: Annotated[str | None, typer.Option(help=START)] = None,
    give_up_after: Annotated[float, typer.Option(help=GIVE_UP)] = 60.0,
    timeout: Annotated[float, typer.Option(help=TIMEOUT)] = 10.0,
    ack_log: Annotated[Path | None, typer.Option(help=ACK_LOG)] = None,
    report: Annotated[Path | None, typer.Option(help=REPORT)] = None,
    max_p99_ms: Annotated[float | None, typer.Option(help=MAX_P99)] = None,
    credentials: Annotated[
        Path | None, typer.Option(help=CREDENTIALS, envvar="VITALRELAY_CREDENTIALS_FILE")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """
    Send a stream of packets to an API, and report what became of each.

    Exit status: 0 fine, 1 threshold missed or a packet not answered as expected, 2 wrong usage,
    3 nobody answers at the target.
    """
    options = dict(locals())
    from vitalrelay.replay.command import obey  # noqa: PLC0415 - --help need not wait for it

    raise typer.Exit(obey(options))
