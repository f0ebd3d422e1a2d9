"""`GET /tmpftp/{id}/log`: the log of a share, in pieces of limited size, for operators."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tempoftp.access.tokens import Role
from tempoftp.shares.log import PIECE_BYTES
from tempoftp.states import State
from tempoftp.worker.run_host import HostRunner
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner


@pytest.fixture
def write_log(settings):
    def write(share_id: str, content: str) -> None:
        folder = settings.state_dir / "logs"
        folder.mkdir(exist_ok=True)
        (folder / f"{share_id}.log").write_text(content)

    return write


def test_shows_what_a_run_did(client: FlaskClient, body, context, settings) -> None:
    client.post("/tmpftp", json=body, headers={"X-Request-ID": "bitacora-3"})
    runner = HostRunner(settings, context.database, SimulatedProvisioner(settings.state_dir))
    runner.run_host("simulado")
    runner.close()
    answer = client.get(f"/tmpftp/{body['id']}/log")
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; charset=utf-8"
    (line,) = answer.text.splitlines()
    assert "request=bitacora-3" in line and "state=listo" in line
    assert "gAAAA" not in line and "$argon2" not in line
    assert answer.headers["X-Log-Siguiente"] == str(len(answer.data))


def test_the_log_of_a_share_without_a_run_is_empty(client: FlaskClient, body) -> None:
    client.post("/tmpftp", json=body)
    answer = client.get(f"/tmpftp/{body['id']}/log")
    assert (answer.status_code, answer.text, answer.headers["X-Log-Siguiente"]) == (200, "", "0")


def test_continues_where_the_last_answer_ended(client: FlaskClient, body, write_log) -> None:
    client.post("/tmpftp", json=body)
    write_log(body["id"], "uno\ndos\nme")
    first = client.get(f"/tmpftp/{body['id']}/log")
    assert first.text == "uno\ndos\n"  # a line that is being written is not shown yet
    write_log(body["id"], "uno\ndos\nmedia\n")
    second = client.get(f"/tmpftp/{body['id']}/log", query_string={"desde": first.headers["X-Log-Siguiente"]})
    assert (second.text, second.headers["X-Log-Siguiente"]) == ("media\n", "14")
    beyond = client.get(f"/tmpftp/{body['id']}/log?desde=99999")
    assert (beyond.text, beyond.headers["X-Log-Siguiente"]) == ("", "14")


def test_is_limited_in_size_and_begins_with_a_whole_line(client: FlaskClient, body, write_log) -> None:
    client.post("/tmpftp", json=body)
    lines = [f"línea {number}\n" for number in range(20000)]
    write_log(body["id"], "".join(lines))
    end = client.get(f"/tmpftp/{body['id']}/log")
    assert len(end.data) <= PIECE_BYTES
    assert end.text.splitlines(keepends=True)[0] in lines
    assert end.text.endswith("línea 19999\n")
    read, since = b"", 0
    while piece := client.get(f"/tmpftp/{body['id']}/log?desde={since}"):
        read += piece.data
        since = int(piece.headers["X-Log-Siguiente"])
        if not piece.data:
            break
    assert read.decode() == "".join(lines)


def test_the_log_of_a_deleted_share_is_kept(client: FlaskClient, body, write_log, move_share) -> None:
    client.post("/tmpftp", json=body)
    write_log(body["id"], "algo\n")
    move_share(body["id"], State.ELIMINANDO, State.ELIMINADO)
    assert client.get(f"/tmpftp/{body['id']}/log").text == "algo\n"


@pytest.mark.parametrize("share_id", ["no_hay", "expired", "..%2f..%2fetc", "a.b"])
def test_an_id_without_a_share_is_404(client: FlaskClient, write_log, share_id: str) -> None:
    write_log("no_hay", "de nadie\n")
    assert client.get(f"/tmpftp/{share_id}/log").status_code == 404


@pytest.mark.parametrize("query", ["desde=-1", "desde=x", "desde=99999999999999999999", "otra=1"])
def test_a_wrong_query_is_422(client: FlaskClient, body, query: str) -> None:
    client.post("/tmpftp", json=body)
    assert client.get(f"/tmpftp/{body['id']}/log?{query}").status_code == 422


def test_is_for_operators(client: FlaskClient, body, make_token) -> None:
    client.post("/tmpftp", json=body)
    mine = make_token(body["usuario"], role=Role.CLIENTE)
    assert client.get(f"/tmpftp/{body['id']}/log", headers=mine).status_code == 403
