"""No request over HTTP is answered 500, and only a valid request writes a row."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tempoftp.db.models import Share

ONE_APP = settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

texts = st.text(st.characters(exclude_categories=()), max_size=40)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
VALID = {"usuario": "alguien@dominio", "id": "valido", "ruta": "source1:/srv/datos/goes", "vigencia": 3}
usuarios = (
    values
    | st.emails()
    | st.builds("{}@{}".format, texts, texts)
    | st.sampled_from(
        ["ALGUIEN@dominio", "a" * 250 + "@d", "ñandú@dominio", "alguien@[127.0.0.1]", '"a b"@dominio']
    )
)
rutas = (
    values
    | st.builds("{}:/{}".format, texts, texts)
    | st.builds("source1:/srv/datos/{}".format, texts)
    | st.builds("{}@source1:/srv/datos".format, texts)
)
ids = values | st.from_regex(r"\A[A-Za-z0-9_.-]{1,70}\Z")
# A valid body with some fields replaced, so that the fuzz gets past the first check of the schema.
near_misses = st.fixed_dictionaries(
    {}, optional={"usuario": usuarios, "id": ids, "ruta": rutas, "vigencia": values | st.integers(-2, 100)}
).map(lambda change: VALID | change)


@ONE_APP
@given(body=near_misses | values)
def test_a_body(client: FlaskClient, context, body: Any) -> None:
    answer = client.post("/tmpftp", data=json.dumps(body), content_type="application/json")
    assert answer.status_code in {200, 202, 403, 409, 422}, answer.text
    if answer.status_code >= 400:
        assert_problem(answer)
        return
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", body["id"])
    with context.database.read() as session:
        share = session.get_one(Share, body["id"])
        assert share.source.startswith("lanotadm@source1:/srv/datos")
        assert re.fullmatch(r"[a-z0-9_]{1,32}", share.ftpuser)
        assert 1 <= share.lifetime_days <= 90
    assert client.get(answer.headers["Location"]).json["id"] == body["id"]


@ONE_APP
@given(
    raw=st.binary(max_size=200),
    content_type=st.sampled_from(["application/json", "application/x+json", "", "*/*"]),
)
def test_raw_bytes(client: FlaskClient, raw: bytes, content_type: str) -> None:
    answer = client.post("/tmpftp", data=raw, content_type=content_type)
    assert answer.status_code in {400, 415, 422}
    assert_problem(answer)


@ONE_APP
@given(
    share_id=st.binary(min_size=1, max_size=30), method=st.sampled_from(["GET", "DELETE", "HEAD", "PATCH"])
)
def test_a_path(client: FlaskClient, share_id: bytes, method: str) -> None:
    body = {"vigencia": 3} if method == "PATCH" else None
    answer = client.open("/tmpftp/" + quote(share_id, safe=""), method=method, json=body)
    assert answer.status_code in {404, 405}
    assert answer.mimetype == "application/problem+json"


@ONE_APP
@given(
    query=st.dictionaries(
        st.sampled_from(["estado", "usuario", "limite", "cursor"]) | texts, texts, max_size=3
    )
)
def test_a_query(client: FlaskClient, query: dict[str, str]) -> None:
    encoded = "&".join(
        f"{quote(name, errors='surrogatepass')}={quote(value, errors='surrogatepass')}"
        for name, value in query.items()
    )
    assert client.get(f"/tmpftp?{encoded}").status_code in {200, 422}


def assert_problem(answer: Any) -> None:
    assert answer.mimetype == "application/problem+json"
    assert answer.json["title"]
    assert answer.json["detail"]
    assert "status" not in answer.json
