"""``vitalrelay replay`` from outside, against a server that speaks the contract."""

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter

import pytest
import typer
from typer.testing import CliRunner

from tests.unit.replay.packets import a_stream
from tests.unit.replay.scripted_server import http, receipt, refusal, says, serving_beside
from vitalrelay.adapters.inbound.cli.replay import replay

app = typer.Typer()
app.command("replay")(replay)

PROGRAM = "import sys; from typer import run; from {module} import replay; run(replay)".format(
    module="vitalrelay.adapters.inbound.cli.replay"
)


class Api:
    """Keeps packets as the contract says: once, and never with other content."""

    def __init__(self):
        self.stored = {}
        self.busy_for = 0

    async def __call__(self, request, writer):
        if self.busy_for:
            self.busy_for -= 1
            writer.write(refusal(503, "overloaded", "Retry-After: 0"))
        elif request.path == "/v1/signal-packets/batch":
            writer.write(self._batch(request.lines))
        else:
            status, content = self._packet(request.body)
            writer.write(http(status, content))

    def _packet(self, body):
        try:
            packet = json.loads(body, parse_constant=refuse, object_pairs_hook=no_key_twice)
        except ValueError:
            return 400, {"type": "/problems/malformed-json"}
        if not valid(packet):
            return 422, {"type": "/problems/invalid-packet"}
        packet_id = "{siteId}:{deviceId}:{timestampMs}".format(**packet)
        if self.stored.setdefault(packet_id, packet) != packet:
            return 409, {"type": "/problems/packet-conflict"}
        new = self.stored[packet_id] is packet
        outcome = "stored" if new else "duplicate"
        return (201 if new else 200), {"outcome": outcome, "packetId": packet_id}

    def _batch(self, lines):
        text = ""
        for number, line in enumerate(lines, start=1):
            status, content = self._packet(line)
            told = content if status < 300 else {"problem": content}
            text += json.dumps({"line": number, "status": status} | told) + "\n"
        return http(200, (text + '{"summary":{}}\n').encode())


def valid(packet):
    if not isinstance(packet, dict):
        return False
    texts = [packet.get(name) for name in ("siteId", "deviceId", "subjectId")]
    signals = packet.get("signals")
    return (
        all(isinstance(text, str) and text.strip() for text in texts)
        and isinstance(packet.get("timestampMs"), int)
        and isinstance(signals, list)
        and all(plausible(signal) for signal in signals)
    )


def plausible(signal):
    known = signal["code"] != "hart_rate"
    return known and isinstance(signal["value"], int | float | str | bool)


def no_key_twice(pairs):
    if len(dict(pairs)) < len(pairs):
        raise ValueError
    return dict(pairs)


def refuse(_):
    raise ValueError


@pytest.fixture
def api():
    api = Api()
    with serving_beside(api) as served:
        api.url, api.served = served.url, served
        yield api


@pytest.fixture
def stream(tmp_path):
    file = tmp_path / "stream.ndjson"
    file.write_bytes(b"\n".join(packet.body for packet in a_stream(300)))
    return str(file)


def run(*arguments, env=None):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=env)


def document(result):
    return json.loads(result.stdout)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_everything_that_is_sent_is_stored_and_that_is_fine(api, stream):
    result = run(stream, "--url", api.url)

    assert result.exit_code == 0
    assert len(api.stored) == 300
    assert "stored 300" in result.stdout


def test_json_is_one_document_and_all_else_is_on_stderr(api, stream):
    api.busy_for = 3

    result = run(stream, "--url", api.url, "--json", "--max-p99-ms", "60000", "--seed", "3")

    told = document(result)
    assert told["schema"] == "vitalrelay-replay/1"
    assert told["outcomes"] == {"stored": 300}
    assert told["attempts"]["outcomes"] == {"stored": 300, "overloaded": 3}
    assert told["attempts"]["again"] == 3
    assert told["latencyMs"]["p50"] <= told["latencyMs"]["p99.99"] <= told["latencyMs"]["max"]
    assert told["thresholds"]["maxP99Ms"]["met"] is True
    assert (told["seed"], told["ok"], told["interrupted"]) == (3, True, False)
    assert api.url in result.stderr


def test_a_dirty_stream_is_counted_by_expected_and_received_outcome(api, stream, tmp_path):
    options = ("--duplicates", 0.2, "--corrupt", 0.1, "--shuffle", 20, "--seed", 5)

    result = run(stream, "--url", api.url, "--json", "--ack-log", tmp_path / "log", *options)

    told = document(result)
    planned, by_part = told["planned"], told["byPart"]
    acknowledged = Counter(line["outcome"] for line in lines(tmp_path / "log"))
    assert result.exit_code == 0, told["problems"]
    assert planned["damaged"] > 10
    assert planned["repeat"] > 30
    assert told["outcomes"]["duplicate"] == planned["repeat"]
    assert sum(by_part["damaged"]["received"].values()) == planned["damaged"]
    assert set(by_part["damaged"]["received"]) == {"malformed-json", "invalid-packet"}
    assert acknowledged["stored"] == len(api.stored) == 300 - planned["damaged"]


def test_the_same_seed_sends_the_same_requests(api, stream):
    options = ("--duplicates", 0.2, "--corrupt", 0.1, "--shuffle", 20, "--connections", 1)

    for _ in range(2):
        run(stream, "--url", api.url, "--seed", 5, *options)

    bodies = api.served.bodies
    half = len(bodies) // 2
    assert bodies[:half] == bodies[half:]


def test_batches_come_to_the_same_as_single_packets(api, stream, tmp_path):
    options = ("--batch", 50, "--corrupt", 0.1, "--duplicates", 0.1)

    result = run(stream, "--url", api.url, "--json", "--ack-log", tmp_path / "log", *options)

    told = document(result)
    assert result.exit_code == 0, told["problems"]
    assert len(api.served.requests) == -(-told["planned"]["total"] // 50)
    assert len(lines(tmp_path / "log")) == told["planned"]["total"]
    assert len(api.stored) == told["planned"]["original"]


def test_sending_a_stream_again_stores_nothing_twice(api, stream):
    run(stream, "--url", api.url)

    result = run(stream, "--url", api.url, "--json")

    assert result.exit_code == 0
    assert document(result)["outcomes"] == {"duplicate": 300}


def test_a_conflict_is_not_fine(api, tmp_path):
    bodies = [packet.body for packet in a_stream(2)] + [a_stream(1)[0].body.replace(b"81", b"82")]
    (tmp_path / "stream.ndjson").write_bytes(b"\n".join(bodies))

    result = run(tmp_path / "stream.ndjson", "--url", api.url, "--connections", 1)

    assert result.exit_code == 1
    assert "conflict" in result.stdout


def test_a_missed_threshold_is_not_fine(api, stream):
    result = run(stream, "--url", api.url, "--max-p99-ms", "0.0001", "--json")

    assert result.exit_code == 1
    assert document(result)["thresholds"]["maxP99Ms"]["met"] is False


def test_a_ward_that_is_made_up_is_accepted_to_the_last_packet(api):
    start = ("--start", "2026-01-01T00:00:00Z", "--packets", 500)

    result = run("ward:24", "--url", api.url, "--as-fast-as-possible", "--json", *start)

    assert result.exit_code == 0, document(result)["problems"]
    assert document(result)["outcomes"] == {"stored": 500}
    assert len({packet["subjectId"] for packet in api.stored.values()}) == 24


def test_a_live_ward_is_as_long_as_it_is_asked_to_be(api):
    result = run("ward:4", "--url", api.url, "--rate", 100, "--duration", 0.5, "--json")

    told = document(result)
    assert told["planned"]["total"] == 50
    assert 0.45 < told["durationS"] < 3


def test_the_real_records_reach_the_api_to_the_last_row(api, clinical_data):
    result = run(clinical_data / "physionet2019", "--url", api.url, "--json", "--batch", 500)

    told = document(result)
    assert result.exit_code == 0, told["problems"]
    assert told["source"]["rows"] == 4798
    assert told["planned"]["original"] + told["source"]["withoutSignal"] == 4798
    assert len(api.stored) == told["planned"]["original"]


def test_a_report_is_written(api, stream, tmp_path):
    result = run(stream, "--url", api.url, "--report", tmp_path / "report.html")

    page = (tmp_path / "report.html").read_text()
    assert result.exit_code == 0
    assert page.startswith("<!doctype html>")
    assert page.count("<svg") == 4


def test_the_gateways_token_is_sent_and_never_shown(api, stream, tmp_path):
    file = tmp_path / "credentials.json"
    file.write_text('{"gateway":"very-secret"}')

    result = run(stream, "--url", api.url, "--json", env={"VITALRELAY_CREDENTIALS_FILE": str(file)})

    sent = {request.headers["authorization"] for request in api.served.requests}
    assert sent == {"bearer very-secret"}
    assert "very-secret" not in result.output


@pytest.mark.parametrize(
    "options",
    [
        ("missing.ndjson",),
        ("missing-directory", "--format", "physionet2019"),
        ("24", "--format", "hl7"),
        ("24", "--rate", "10", "--speed", "2"),
        ("24", "--rate", "0"),
        ("24", "--duplicates", "2"),
        ("24", "--connections", "0"),
        ("24", "--batch", "0"),
        ("24", "--packets", "0"),
        ("24", "--duration", "-1"),
        ("24", "--start", "yesterday"),
        ("24", "--start", "2026-01-01T00:00:00"),
        ("24", "--url", "https://api.example"),
        ("24", "--credentials", "missing.json"),
        ("24", "--report", "missing/report.html"),
        ("24", "--give-up-after", "-1"),
        ("24", "--timeout", "0"),
        ("ward", "--format", "synthetic"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_2(options):
    result = run(*options, "--json")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("vitalrelay replay: ")
    assert result.stderr.count("\n") == 1


def test_nobody_at_the_target_is_one_more_line_and_3(stream):
    with serving_beside(says(receipt())) as served:
        pass

    result = run(stream, "--url", served.url)

    assert result.exit_code == 3
    assert "cannot connect" in result.stderr.splitlines()[-1]
    assert len(result.stderr.splitlines()) == 2


def test_a_log_that_cannot_be_written_ends_the_run_in_one_line(api, stream):
    result = run(stream, "--url", api.url, "--ack-log", "/dev/full", "--json")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "No space left" in result.stderr.splitlines()[-1]


def start_process(*arguments, **more):
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **streams, **more)


def test_standard_input_is_sent_while_it_comes(api):
    with start_process("-", "--url", api.url, "--json", stdin=subprocess.PIPE) as process:
        told, _ = process.communicate("\n".join(p.body.decode() for p in a_stream(10)))

    assert process.returncode == 0
    assert json.loads(told)["outcomes"] == {"stored": 10}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_an_endless_ward_with_its_report(api, number):
    with start_process("ward:8", "--url", api.url, "--rate", 200, "--json") as process:
        asyncio.run(until(lambda: len(api.stored) > 20))
        process.send_signal(number)
        told, trouble = process.communicate()

    summary = json.loads(told)
    assert process.returncode == 128 + number
    assert summary["interrupted"] is True
    assert summary["acknowledged"] == summary["planned"]["total"] > 20
    assert "Traceback" not in trouble


def test_a_signal_ends_waiting_for_standard_input(api):
    with start_process("-", "--url", api.url, "--json", stdin=subprocess.PIPE) as process:
        process.stdin.write(a_stream(1)[0].body.decode() + "\n")
        process.stdin.flush()
        asyncio.run(until(lambda: len(api.stored) == 1))
        process.send_signal(signal.SIGINT)
        process.wait(timeout=10)
        told, trouble = process.communicate()

    assert process.returncode == 130
    assert json.loads(told)["acknowledged"] == 1
    assert trouble.count("\n") == 1


def test_help_needs_nothing_heavy():
    program = PROGRAM.replace("run(replay)", "print(sorted(sys.modules))")
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout

    for heavy in (b"asyncio", b"httptools", b"uvloop", b"vitalrelay.replay", b"decimal"):
        assert b"'%b'" % heavy not in told


async def until(done):
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.01)
