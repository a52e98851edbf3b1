"""How the page is served; what needs no browser to be seen."""

import re

import pytest

from vitalrelay.adapters.inbound.http.ward import FILES

ELSEWHERE = re.compile(r"https?://(?!www\.w3\.org)")  # that one is the name of a format
POLICY = "default-src 'self'; frame-ancestors 'none'"


@pytest.mark.parametrize("path", ["/", "/ward"])
async def test_the_page_is_at_two_addresses(client, path):
    answer = await client.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.content == FILES["ward.html"].content


@pytest.mark.parametrize("name", FILES)
async def test_everything_comes_with_a_policy_and_is_asked_for_again(client, name):
    answer = await client.get(f"/static/{name}")

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"].startswith(POLICY)


async def test_who_has_it_already_is_told_so(client):
    tag = (await client.get("/static/ward.js")).headers["etag"]

    again = await client.get("/static/ward.js", headers={"If-None-Match": f'"other", {tag}'})
    other = await client.get("/static/ward.js", headers={"If-None-Match": '"other"'})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert other.status_code == 200


@pytest.mark.parametrize(
    "name", ["", "ward", "../ward.py", "%2e%2e/ward.py", "/etc/passwd", "x.js"]
)
async def test_nothing_else_is_to_be_had(client, name):
    answer = await client.get(f"/static/{name}")

    assert answer.status_code == 404


async def test_the_description_of_the_api_does_not_list_it(client):
    described = (await client.get("/openapi.json")).json()["paths"]

    assert not {"/", "/ward", "/static/{name}"} & described.keys()


def test_the_page_needs_nothing_from_anywhere_else_and_nothing_in_line():
    texts = {name: file.content.decode() for name, file in FILES.items()}
    page = texts.pop("ward.html")

    elsewhere = [
        name for name, text in texts.items() if re.search(r"https?://(?!www\.w3\.org)", text)
    ]

    assert elsewhere == []
    assert "://" not in page
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page) == []


def test_its_scripts_are_short():
    long = {name: file.content.count(b"\n") for name, file in FILES.items() if name.endswith(".js")}

    assert max(long.values()) <= 200, long
