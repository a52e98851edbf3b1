"""The readers of published ICU records."""

import json

import pytest

from vitalrelay.replay.errors import WrongUsage
from vitalrelay.replay.sources.physionet2012 import read_physionet2012
from vitalrelay.replay.sources.physionet2019 import read_physionet2019
from vitalrelay.replay.sources.source import Census

TIME_ZERO_MS = 1_767_225_600_000
HOUR_MS = 3_600_000
HEADING_2019 = "HR|O2Sat|Temp|SBP|MAP|DBP|Resp|EtCO2|FiO2|SaO2|Age|ICULOS|SepsisLabel"
HEADING_2012 = "Time,Parameter,Value"


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def read(reader, name):
    census = Census()
    return list(reader(str(name), census)), census


def contents(packets):
    return [json.loads(packet.body) for packet in packets]


def values(packet):
    return {signal["code"]: signal["value"] for signal in packet["signals"]}


class Test2019:
    def test_a_row_is_a_packet_with_our_codes_and_units(self, tmp_path):
        row = "93|92.5|36.50|110|76|56|22|31|0.4|95|73|2|1"
        name = write(tmp_path / "p00001.psv", HEADING_2019, row)

        [packet], _ = read(read_physionet2019, name)

        assert json.loads(packet.body) == {
            "siteId": "physionet-2019",
            "deviceId": "icu-p00001",
            "subjectId": "pn-p00001",
            "timestampMs": TIME_ZERO_MS + 2 * HOUR_MS,
            "signals": [
                {"code": "heart_rate", "value": 93, "unit": "/min"},
                {"code": "spo2", "value": 92.5, "unit": "%"},
                {"code": "temperature", "value": 36.5, "unit": "Cel"},
                {"code": "systolic_bp", "value": 110, "unit": "mm[Hg]"},
                {"code": "mean_bp", "value": 76, "unit": "mm[Hg]"},
                {"code": "diastolic_bp", "value": 56, "unit": "mm[Hg]"},
                {"code": "respiratory_rate", "value": 22, "unit": "/min"},
                {"code": "fio2", "value": 0.4, "unit": "1"},
            ],
        }
        assert packet.packet_id == f"physionet-2019:icu-p00001:{TIME_ZERO_MS + 2 * HOUR_MS}"

    def test_a_value_keeps_the_spelling_of_the_file(self, tmp_path):
        row = "93.0|NaN|36.50|NaN|84.5|NaN|NaN|NaN|.40|NaN|73|1|0"
        name = write(tmp_path / "p1.psv", HEADING_2019, row)

        [packet], _ = read(read_physionet2019, name)

        spelled = [part.split(b",")[0] for part in packet.body.split(b'"value":')[1:]]
        assert spelled == [b"93.0", b"36.50", b"84.5", b"0.40"]

    def test_what_was_not_measured_is_absent_and_rows_without_a_signal_are_counted(self, tmp_path):
        rows = (
            "NaN|NaN|NaN|NaN|NaN|NaN|NaN|35|NaN|98|73|1|0",
            "93|NaN||NaN|NaN|NaN|NaN|NaN|NaN|NaN|73|2|0",
        )
        name = write(tmp_path / "p1.psv", HEADING_2019, *rows)

        packets, census = read(read_physionet2019, name)

        assert [values(packet) for packet in contents(packets)] == [{"heart_rate": 93}]
        assert census == Census(rows=2, without_signal=1)

    def test_implausible_values_are_sent_as_they_are(self, tmp_path):
        row = "300|36|3.2|299|292|285|1|NaN|0.06|NaN|73|1|0"
        name = write(tmp_path / "p1.psv", HEADING_2019, row)

        [packet], _ = read(read_physionet2019, name)

        sent = values(json.loads(packet.body))
        assert (sent["spo2"], sent["temperature"], sent["diastolic_bp"]) == (36, 3.2, 285)

    @pytest.mark.parametrize(
        "row",
        [
            "93|NaN|NaN|NaN|NaN|NaN|NaN|NaN|NaN|NaN|73|1",
            "93|NaN|NaN|NaN|NaN|NaN|NaN|NaN|NaN|NaN|73|NaN|0",
            "fast|NaN|NaN|NaN|NaN|NaN|NaN|NaN|NaN|NaN|73|1|0",
            "Infinity|NaN|NaN|NaN|NaN|NaN|NaN|NaN|NaN|NaN|73|1|0",
            "93|NaN|NaN|NaN|NaN|NaN|NaN|NaN|NaN|NaN|73|1E999999|0",
        ],
        ids=[
            "a cell is missing",
            "no time",
            "no number",
            "not finite",
            "no time anybody lived to see",
        ],
    )
    def test_a_row_that_cannot_be_read_is_counted_and_harms_no_other(self, tmp_path, row):
        good = "93|NaN|NaN|NaN|NaN|NaN|NaN|NaN|NaN|NaN|73|2|0"
        name = write(tmp_path / "p1.psv", HEADING_2019, row, good)

        packets, census = read(read_physionet2019, name)

        assert len(packets) == 1
        assert census.unreadable == 1

    def test_all_records_of_a_directory_make_one_ward_in_the_order_of_time(self, tmp_path):
        for record, hours in (("p2", (1, 3)), ("p1", (2, 3))):
            rows = [f"80|NaN|NaN|NaN|NaN|NaN|NaN|NaN|NaN|NaN|50|{hour}|0" for hour in hours]
            write(tmp_path / f"{record}.psv", HEADING_2019, *rows)

        packets, _ = read(read_physionet2019, tmp_path)

        hours = [(packet.timestamp_ms - TIME_ZERO_MS) // HOUR_MS for packet in packets]
        assert list(zip((packet.subject_id for packet in packets), hours, strict=True)) == [
            ("pn-p2", 1),
            ("pn-p1", 2),
            ("pn-p1", 3),
            ("pn-p2", 3),
        ]

    def test_something_else_is_wrong_usage_before_the_first_packet(self, tmp_path):
        write(tmp_path / "p1.psv", HEADING_2019)
        write(tmp_path / "p2.psv", "a|b|c", "1|2|3")

        with pytest.raises(WrongUsage, match=r"p2\.psv"):
            read_physionet2019(str(tmp_path), Census())

    def test_a_file_name_that_can_be_no_id_is_wrong_usage(self, tmp_path):
        name = write(tmp_path / "p 1.psv", HEADING_2019)

        with pytest.raises(WrongUsage, match="cannot be an id"):
            read_physionet2019(name, Census())

    def test_the_sixty_real_records_are_read_to_the_last_row(self, clinical_data):
        packets, census = read(read_physionet2019, clinical_data / "physionet2019")

        sent = contents(packets)
        assert census.rows == 4798
        assert census.unreadable == 0
        assert len(packets) + census.without_signal == 4798
        assert len({packet.packet_id for packet in packets}) == len(packets)
        assert len({packet["subjectId"] for packet in sent}) == 60
        assert max(values(packet).get("diastolic_bp", 0) for packet in sent) == 285


class Test2012:
    def test_what_was_measured_in_one_minute_is_one_packet(self, tmp_path):
        lines = (
            "00:00,RecordID,132539",
            "00:00,Age,54",
            "00:07,GCS,15",
            "00:07,HR,73",
            "00:07,NISysABP,147",
            "00:07,Temp,35.10",
            "25:37,SysABP,105",
            "25:37,SaO2,97",
            "25:37,FiO2,0.5",
        )
        name = write(tmp_path / "132539.txt", HEADING_2012, *lines)

        packets, census = read(read_physionet2012, name)

        first, second = contents(packets)
        assert first["subjectId"] == "pn-132539"
        assert first["timestampMs"] == TIME_ZERO_MS + 7 * 60_000
        assert second["timestampMs"] == TIME_ZERO_MS + (25 * 60 + 37) * 60_000
        assert values(first) == {
            "gcs_total": 15,
            "heart_rate": 73,
            "systolic_bp": 147,
            "temperature": 35.1,
        }
        assert values(second) == {"arterial_systolic_bp": 105, "fio2": 0.5}
        assert census == Census(rows=9, without_signal=3)

    def test_a_line_that_cannot_be_read_is_counted_and_harms_no_other(self, tmp_path):
        lines = ("24:61,HR,70", "00:10,HR", "00:10,HR,fast", "00:11,HR,71")
        name = write(tmp_path / "1.txt", HEADING_2012, *lines)

        packets, census = read(read_physionet2012, name)

        assert len(packets) == 1
        assert census.unreadable == 3

    def test_something_else_is_wrong_usage(self, tmp_path):
        name = write(tmp_path / "readme.txt", "hello")

        with pytest.raises(WrongUsage, match="2012"):
            read_physionet2012(name, Census())


@pytest.mark.parametrize("reader", [read_physionet2019, read_physionet2012])
def test_what_is_not_there_is_wrong_usage(reader, tmp_path):
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.mkdir()

    for name in (missing, empty):
        with pytest.raises(WrongUsage, match=name.name):
            reader(str(name), Census())
