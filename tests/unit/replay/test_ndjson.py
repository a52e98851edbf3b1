import pytest

from tests.unit.replay.packets import START_MS, a_packet
from vitalrelay.replay.errors import WrongUsage
from vitalrelay.replay.packets import LATEST_MS, read_packet
from vitalrelay.replay.sources.ndjson import read_ndjson
from vitalrelay.replay.sources.source import Census


def test_lines_are_sent_byte_for_byte_also_where_they_are_bad(tmp_path):
    lines = [b'{ "siteId" : "a",  "x":1.50 }', b"nonsense", b'"\xff\xfe"', a_packet().body]
    (tmp_path / "stream.ndjson").write_bytes(b"\n".join(lines))

    packets = list(read_ndjson(str(tmp_path / "stream.ndjson"), Census()))

    assert [packet.body for packet in packets] == lines


def test_blank_lines_are_counted_and_not_sent(tmp_path):
    (tmp_path / "stream.ndjson").write_bytes(b"{}\r\n\n  \n{}\n")
    census = Census()

    packets = list(read_ndjson(str(tmp_path / "stream.ndjson"), census))

    assert [packet.body for packet in packets] == [b"{}", b"{}"]
    assert census == Census(rows=4, without_signal=2)


def test_a_packet_that_was_written_is_read_as_the_same():
    packet = a_packet()

    again = read_packet(packet.body)

    assert again == packet


@pytest.mark.parametrize(
    ("text", "packet_id"),
    [
        (b'{"siteId":"a","deviceId":"b","timestampMs":5,"sequence":7}', "a:b:5:7"),
        (b'{"siteId":"a","deviceId":"b","timestampMs":5}', "a:b:5"),
        (b'{"siteId":"a","deviceId":"b","timestampMs":true}', None),
        (b'{"siteId":"a","deviceId":"b","timestampMs":"5"}', None),
        (b'{"siteId":"a","deviceId":"b","timestampMs":%d}' % LATEST_MS, None),
        (b'{"siteId":1,"deviceId":"b","timestampMs":5}', None),
        (b"[" * 100_000, None),
        (b"9" * 5_000, None),
    ],
)
def test_the_id_is_told_from_the_packet_where_it_can_be(text, packet_id):
    packet = read_packet(text)

    assert packet.packet_id == packet_id


def test_the_time_is_known_without_the_rest():
    packet = read_packet(b'{"timestampMs":%d}' % START_MS)

    assert packet.timestamp_ms == START_MS
    assert packet.subject_id is None


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path):
    with pytest.raises(WrongUsage, match="No such file"):
        read_ndjson(str(tmp_path / "missing.ndjson"), Census())
