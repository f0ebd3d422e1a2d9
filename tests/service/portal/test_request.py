"""Asking for a share with the form."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import func, select

from tempoftp.access.tokens import Role
from tempoftp.db.models import Preview, Share
from tempoftp.http.context import ApiContext
from tempoftp.worker.previewer import Previewer
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner

FORM = {
    "usuario": "alguien@dominio.example",
    "origen": "source1:/srv/datos",
    "camino": "goes16/2026",
    "id": "goes_2026",
    "vigencia": "5",
}


def send(browser: Any, **changes: str) -> Any:
    return browser.send("/portal/nueva", page="/portal/nueva", **(FORM | changes))


def test_a_request_is_written_down_and_its_page_shown(client_browser, read_row) -> None:
    answer = send(client_browser)
    assert answer.headers["Location"] == "/portal/solicitudes/goes_2026"
    page = client_browser.follow().text
    assert "La solicitud quedó anotada" in page
    assert "Recibida" in page
    row = read_row("goes_2026")
    assert (row.email, row.source, row.lifetime_days, row.author) == (
        "alguien@dominio.example",
        "lanotadm@source1:/srv/datos/goes16/2026",
        5,
        "ana",
    )


def test_the_form_has_default_values(client_browser) -> None:
    page = client_browser.open("/portal/nueva").text
    assert 'value="alguien@dominio.example"' in page
    assert '<option value="source1:/srv/datos">' in page
    assert re.search(r'name="id"[^>]* value="datos-\d{8}-[0-9a-f]{4}"', page)
    assert re.search(r'name="vigencia"[^>]* min="1" max="90" value="10"', page)
    assert "Espacio en el servidor FTP" in page


def test_an_empty_path_is_the_whole_root(client_browser, read_row) -> None:
    assert send(client_browser, camino="").status_code == 303
    assert read_row("goes_2026").source == "lanotadm@source1:/srv/datos"


def test_the_same_form_again_creates_nothing(client_browser) -> None:
    send(client_browser)
    send(client_browser)
    assert "ya estaba hecha" in client_browser.follow().text


@pytest.mark.parametrize(
    ("field", "value", "code", "text"),
    [
        ("usuario", "nadie", 422, "no es una dirección de correo válida"),
        ("usuario", "otra@dominio.example", 403, "no puede pedir nada para ese correo"),
        ("id", "con espacio", 422, "1 a 64 letras sin acento"),
        ("id", "expired", 422, "palabra reservada"),
        ("id", "", 422, "falta este campo"),
        ("vigencia", "91", 422, "vigencia debe ser de 1 a 90 días"),
        ("vigencia", "tres", 422, "debe ser un número entero"),
        ("vigencia", "9" * 30, 422, "debe ser un número entero"),
        ("camino", "../otro", 422, "no debe tener &#39;..&#39;"),
        ("camino", "a*", 422, "que no se admiten"),
        ("camino", "a\x07b", 422, "caracteres de control"),
        ("origen", "otro:/srv/datos", 403, "no está permitido"),
        ("origen", "source1:/etc", 403, "no está bajo una carpeta permitida"),
        ("origen", "", 422, "la ruta debe ser"),
        ("origen", "-oProxyCommand=touch /tmp/P:/x", 422, "la ruta debe ser"),
    ],
)
def test_an_error_is_shown_at_its_field(client_browser, field: str, value: str, code: int, text: str) -> None:
    page = send(client_browser, **{field: value})
    assert page.status_code == code
    shown = "camino" if field == "origen" else field
    assert text in page.text
    assert f'<a href="#{shown}">' in page.text
    assert re.search(
        rf'<input id="{shown}"[^>]* aria-describedby="{shown}-hint {shown}-error" aria-invalid="true"',
        page.text,
    )
    if field != "usuario":
        assert 'value="alguien@dominio.example"' in page.text  # the typed text is kept


def test_an_id_in_use_is_shown_as_an_error(client_browser, ask) -> None:
    ask("goes_2026")
    page = send(client_browser)
    assert page.status_code == 409
    assert "es de otra solicitud" in page.text


def test_an_operator_may_ask_for_any_email(operator, read_row) -> None:
    assert send(operator, usuario="otra@dominio.example").status_code == 303
    assert read_row("goes_2026").author == "jefa"


def test_an_unknown_field_is_ignored(client_browser, read_row) -> None:
    assert send(client_browser, writable="1", ruta="source1:/etc").status_code == 303
    assert read_row("goes_2026").writable is False


@pytest.mark.parametrize(
    ("origin", "typed", "source"),
    [
        ("source1:/srv/datos", "/srv/datos/goes16", "/srv/datos/goes16"),
        ("source1:/srv/datos", " /srv/datos/goes16/ ", "/srv/datos/goes16"),
        ("source1:/srv/datos", "/srv/datos", "/srv/datos"),
        ("source1:/srv/datos", "source1:/srv/datos/goes16", "/srv/datos/goes16"),
        ("source1:/srv/datos", "lanotadm@source1:/srv/datos/goes16", "/srv/datos/goes16"),
        ("source1:/srv/datos", "datos.example.org:/srv/datos/b", "/srv/datos/b"),
        # What does not name the whole path is below the chosen source.
        ("source1:/srv/datos", "/goes16", "/srv/datos/goes16"),
        ("source1:/srv/datos", "srv/datos/goes16", "/srv/datos/srv/datos/goes16"),
        ("source1:/srv/datos", "/srv/datos2/x", "/srv/datos/srv/datos2/x"),
        ("source1:/srv/datos", "otro:/x", "/srv/datos/otro:/x"),
    ],
)
def test_a_full_path_that_is_pasted_is_recognised(
    client_browser, read_row, origin: str, typed: str, source: str
) -> None:
    assert send(client_browser, origen=origin, camino=typed).status_code == 303
    assert read_row("goes_2026").source == f"lanotadm@source1:{source}"


def test_a_path_that_goes_up_is_refused_however_it_is_pasted(client_browser) -> None:
    for typed in ("/srv/datos/../etc", "source1:/srv/datos/../etc", "/srv/datos/../../etc/shadow"):
        assert send(client_browser, camino=typed).status_code == 422


@pytest.fixture
def run_worker(context: ApiContext) -> Callable[[], Any]:
    """Measure the requested sources while the block runs."""

    @contextmanager
    def running() -> Iterator[None]:
        provisioner = SimulatedProvisioner(context.settings.state_dir)
        previewer = Previewer(context.settings, context.database, provisioner)
        done = threading.Event()

        def work() -> None:
            while not done.wait(0.02):
                previewer.look()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            previewer.close()

    return running


def test_the_size_is_shown_and_no_share_is_created(client_browser, run_worker, context: ApiContext) -> None:
    with run_worker():
        page = send(client_browser, ver="1", usuario="", vigencia="tres")
    assert page.status_code == 200
    assert "Tamaño y espacio" in page.text
    assert "lanotadm@source1:/srv/datos/goes16/2026" in page.text
    assert "Cabe en el servidor FTP." in page.text
    assert re.search(r"<dt>Tamaño</dt><dd>[\d,.]+ [kMG]?B</dd>", page.text)
    assert 'value="goes16/2026"' in page.text and 'value="tres"' in page.text, "what was typed stays"
    assert "notice-error" not in page.text, "the other fields are not looked at"
    with context.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Share)) == 0


def test_enter_presses_the_main_button(client_browser) -> None:
    page = client_browser.open("/portal/nueva").text
    form = page[page.index('action="/portal/nueva"') :]
    first, second = re.findall(r"<button[^>]*>[^<]*</button>", form)[:2]
    assert "Pedir" in first and "name" not in first
    assert "Ver tamaño" in second and "formnovalidate" in second


def test_the_size_is_shown_in_english(client_browser, run_worker) -> None:
    client_browser.open("/portal/nueva")
    client_browser.send("/portal/idioma", idioma="en", sigue="/portal/nueva")
    with run_worker():
        page = send(client_browser, ver="1")
    assert "Size and space" in page.text
    assert "It fits on the FTP server." in page.text
    assert "See the size" in page.text


@pytest.mark.parametrize(
    ("camino", "text"),
    [
        ("enorme", "pida menos"),
        ("falla-source_not_found", "El origen no tiene esa carpeta ni ese archivo"),
        ("lento", "es al menos esto"),
    ],
)
def test_obstacles_are_shown_before_the_request(client_browser, run_worker, camino: str, text: str) -> None:
    with run_worker():
        page = send(client_browser, ver="1", camino=camino)
    assert page.status_code == 200
    assert text in page.text
    assert ("notice-error" in page.text) == (camino != "lento")


def test_asking_again_for_a_slow_measurement_starts_no_other(client_browser, context: ApiContext) -> None:
    context.waiting_slots._value = 0
    page = send(client_browser, ver="1")
    assert page.status_code == 200
    assert "Se mide el origen." in page.text and "otra vez en un momento" in page.text
    send(client_browser, ver="1")
    with context.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Preview)) == 1


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"origen": "source1:/etc"}, 403, "no está bajo una carpeta permitida"),
        ({"camino": "../otro"}, 422, "no debe tener"),
        ({"camino": "x" * 5000}, 422, "la ruta es demasiado larga"),
        ({"origen": ""}, 422, "la ruta debe ser"),
    ],
)
def test_a_source_that_is_not_allowed_is_not_measured(
    client_browser, context: ApiContext, changes: dict[str, str], code: int, text: str
) -> None:
    page = send(client_browser, ver="1", **changes)
    assert page.status_code == code
    assert text in page.text
    with context.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Preview)) == 0


def test_a_reached_quota_is_said_at_the_form(client_browser, context: ApiContext) -> None:
    object.__setattr__(context, "settings", context.settings.model_copy(update={"quota_person_shares": 1}))
    assert send(client_browser).status_code == 303
    answer = send(client_browser, id="otra", camino="otra")
    assert answer.status_code == 403
    assert "y puede tener 1" in answer.text


def test_the_overview_shows_who_is_near_a_quota(client_browser, sign_in, context: ApiContext) -> None:
    assert send(client_browser).status_code == 303
    operator_browser = sign_in(role=Role.OPERADOR, name="jefa")
    assert "Cerca de su cuota" not in operator_browser.open("/portal/resumen").text
    object.__setattr__(context, "settings", context.settings.model_copy(update={"quota_person_shares": 1}))
    page = operator_browser.open("/portal/resumen").text
    assert "Cerca de su cuota" in page
    assert "alguien@dominio.example" in page


def test_the_page_says_how_old_a_measurement_is(client_browser, run_worker) -> None:
    with run_worker():
        page = send(client_browser, ver="1").text
    assert "Medido" in page
    assert re.search(r"\(hace [^)]+\)", page)


def test_a_source_without_a_file_needs_a_confirmation(client_browser, run_worker, read_row) -> None:
    with run_worker():
        page = send(client_browser, camino="vacia", ver="1").text
    assert "No hay ningún archivo" in page
    assert 'name="vacia"' in page
    refused = send(client_browser, camino="vacia")
    assert refused.status_code == 409
    assert "Pedirla aunque no tenga archivos" in refused.text
    assert 'value="alguien@dominio.example"' in refused.text  # the typed text is kept
    assert send(client_browser, camino="vacia", vacia="1").status_code == 303
    assert read_row("goes_2026").source.endswith("/vacia")


def test_a_source_with_files_needs_none(client_browser, run_worker) -> None:
    with run_worker():
        assert 'name="vacia"' not in send(client_browser, ver="1").text
    assert send(client_browser).status_code == 303
