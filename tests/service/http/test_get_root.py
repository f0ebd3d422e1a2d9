from __future__ import annotations

from flask.testing import FlaskClient


def test_says_that_the_api_is_active(client: FlaskClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.json == {"status": "active"}


def test_answers_without_a_database(client: FlaskClient, context) -> None:
    with context.database.write() as session:
        session.connection().exec_driver_sql("DROP TABLE history")
        session.connection().exec_driver_sql("DROP TABLE shares")
    assert client.get("/").status_code == 200
    assert client.get("/tmpftp").status_code == 503


def test_refuses_another_method(client: FlaskClient) -> None:
    answer = client.post("/", json={})
    assert answer.status_code == 405
    assert answer.mimetype == "application/problem+json"
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
