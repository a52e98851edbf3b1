import json

import pytest

from vitalrelay.replay.errors import WrongUsage
from vitalrelay.replay.target import ONE_PACKET, Target, gateway_token


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example",
        "ftp://api.example",
        "api.example:8000",
        "http://",
        "http://api.example:port",
        "http://api.example:99999",
        "http://me:secret@api.example",
        "http://api.example/?a=b",
        "http://[::1",
        "",
    ],
)
def test_what_is_no_plain_http_address_is_wrong_usage(url):
    with pytest.raises(WrongUsage):
        Target.at(url)


@pytest.mark.parametrize(
    ("url", "again"),
    [
        ("http://api.example", "http://api.example:80"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/v", "http://[::1]:8000/v"),
    ],
)
def test_an_address_is_said_in_full(url, again):
    target = Target.at(url)

    assert target.url == again
    assert again.removeprefix("http://").split("/")[0].encode() in target.head(ONE_PACKET)


def test_the_token_of_the_gateway_is_taken(tmp_path):
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps({"gateway": "g-1", "admin": "a-1"}))

    token = gateway_token(file)

    assert token == "g-1"
    assert b"Authorization: Bearer g-1\r\n" in Target.at("http://a", token).head(ONE_PACKET)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"gateway":7}', '{"gateway":"a\\r\\nb"}', '{"gateway":""}']
)
def test_a_file_without_a_usable_token_is_wrong_usage_and_shows_nothing(tmp_path, content):
    file = tmp_path / "credentials.json"
    file.write_text(content)

    with pytest.raises(WrongUsage) as caught:
        gateway_token(file)

    assert str(caught.value).startswith(str(file))
    assert content not in str(caught.value).removeprefix(str(file)) or not content


def test_a_missing_file_is_wrong_usage(tmp_path):
    with pytest.raises(WrongUsage, match="No such file"):
        gateway_token(tmp_path / "missing.json")
