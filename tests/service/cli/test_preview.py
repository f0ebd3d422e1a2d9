"""`tempoftp preview` against the running service and its worker."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tempoftp.cli.exits import ServiceFailed
from tempoftp.cli.shares import print_preview, wait_for_preview

pytestmark = pytest.mark.processes


def test_size_and_space_are_shown(tempoftp: Any) -> None:
    done = tempoftp("preview", "source1:/srv/datos/goes")
    assert done.code == 0, done.err
    shown = dict(line.split("  ", 1) for line in done.out.splitlines())
    assert {key.strip() for key in shown} == {"ruta", "size", "measured", "space", "fits", "mensaje"}
    assert "lanotadm@source1:/srv/datos/goes" in done.out
    assert "files" in done.out and "yes" in done.out


def test_json_is_the_answer_of_the_service(tempoftp: Any) -> None:
    done = tempoftp("preview", "source1:/srv/datos/goes", "--json")
    answer = json.loads(done.out)
    assert (done.code, answer["estado"], answer["cabe"]) == (0, "lista", True)


@pytest.mark.parametrize("name", ["enorme", "falla-source_not_found"])
def test_a_source_that_cannot_be_shared_exits_1(tempoftp: Any, name: str) -> None:
    done = tempoftp("preview", f"source1:/srv/datos/{name}")
    assert done.code == 1
    assert "mensaje" in done.out
    assert f"source1:/srv/datos/{name}: " in done.err


def test_a_source_that_is_not_allowed_exits_4(tempoftp: Any) -> None:
    assert tempoftp("preview", "source9:/srv/datos").code == 4
    assert tempoftp("preview", "nonsense").code == 4


def test_wait_for_preview_has_a_time_limit() -> None:
    class Silent:
        asked = 0

        def get_preview(self, preview_id: str) -> dict[str, Any]:
            self.asked += 1
            return {"id": preview_id, "estado": "pendiente"}

    silent, now = Silent(), [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with pytest.raises(ServiceFailed, match="still not measured"):
        wait_for_preview(silent, {"id": "x", "estado": "pendiente"}, sleep, lambda: now[0])  # type: ignore[arg-type]
    assert silent.asked > 100


def test_an_incomplete_count_is_shown_as_at_least(capsys: pytest.CaptureFixture[str]) -> None:
    print_preview(
        {
            "ruta": "a@b:/c",
            "bytes": 2000,
            "archivos": 3,
            "completa": False,
            "cabe": None,
            "espacio": {"total": 4096, "disponible": 1024},
            "omitidos": {"total": 3, "lista": ["link -> /etc/passwd (unsafe link)"]},
            "mensaje": "no se sabe",
        }
    )
    shown = capsys.readouterr().out
    assert "at least 2.0 kB, 3 files" in shown
    assert "not known" in shown
    assert "link -> /etc/passwd" in shown and "and 2 more" in shown


def test_a_source_without_a_file_is_told_before_and_when_it_is_asked_for(tempoftp: Any) -> None:
    before = tempoftp("preview", "source1:/srv/datos/vacia")
    assert before.code == 0
    assert re.search(r"^warning +.*ningún archivo", before.out, re.MULTILINE)
    assert re.search(r"^measured +\S+, \d+ s ago$", before.out, re.MULTILINE)
    asked = tempoftp("request", "ana@dominio", "sin_archivos", "source1:/srv/datos/vacia", "--watch")
    assert asked.code == 0
    assert "ningún archivo" in asked.err
    assert "está vacía" in asked.out
