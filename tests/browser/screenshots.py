"""Pictures of every page, light and dark, wide and narrow, into docs/screenshots: `make screenshots`.

With names (`python -m tests.browser.screenshots recipient extensions`) only of those pages. Of a
simulated service with a few shares in each state; sizes are enlarged, since simulated ones are small.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import select

from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import FtpHost, HostAudit, Share
from tempoftp.settings import Settings
from tests.browser.portal import Place, preview, reveal_password, sign_in
from tests.support.run_service import TEMPOFTP, build_environ, find_free_port, run_command, wait_until_up

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / "docs" / "screenshots"
ENLARGED = 1800
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
PREVIEWED = "source1:/srv/datos/goes16/2026-05"
SHARES = [
    ("goes16_abril", "ana.ruiz@inst.example", "goes16/2026-04/descargada", 3),
    ("goes18_huracan", "ana.ruiz@inst.example", "goes18/huracan", 5),
    ("himawari_sst", "k.tanaka@ocean.example", "himawari9/sst", 7),
    ("sentinel_popo", "luis.vega@geo.example", "sentinel2/popocatepetl/descargada", 2),
    ("viirs_incendios", "luis.vega@geo.example", "viirs/incendios", 10),
    ("modis_ndvi", "m.perez@agro.example", "modis/ndvi/2025", 12),
    ("abi_bloqueada", "m.perez@agro.example", "goes16/revision", 9),
    ("npp_terminada", "m.perez@agro.example", "npp/junio", 4),
    ("radar_sin_permiso", "k.tanaka@ocean.example", "radar/falla-source_denied", 10),
    ("goes19_completo", "ana.ruiz@inst.example", "goes19/tarda-900", 10),
]
PAGES = {
    "list": "/portal/solicitudes",
    "request": "/portal/nueva",
    "copying": "/portal/solicitudes/goes19_completo",
    "share": "/portal/solicitudes/goes16_abril",
    "failed": "/portal/solicitudes/radar_sin_permiso",
    "extend": "/portal/solicitudes/goes16_abril/vigencia",
    "new-password": "/portal/solicitudes/goes16_abril/password",
    "block": "/portal/solicitudes/goes16_abril/bloquear",
    "delete": "/portal/solicitudes/goes16_abril/eliminar",
    "ended": "/portal/solicitudes/npp_terminada",
    "restore": "/portal/solicitudes/npp_terminada/restaurar",
    "extensions": "/portal/prorrogas",
    "overview": "/portal/resumen",
    "audit": "/portal/auditoria",
    "accounts": "/portal/cuentas",
    "tokens": "/portal/tokens",
    "not-found": "/portal/nada",
}
RECIPIENT_PAGES = {
    "recipient": ("himawari_sst", ""),
    "recipient-copying": ("goes19_completo", ""),
    "recipient-new-password": ("goes16_abril", "/password"),
}
EXTENSIONS = {
    "himawari_sst": (5, "el servidor de la universidad estuvo fuera de línea"),
    "goes16_abril": (14, None),
}


@contextmanager
def run_service(folder: Path) -> Iterator[tuple[Place, Callable[[], None]]]:
    """Run a simulated service with shares in it; its worker stands still, until it is started with what is yielded."""
    environ = build_environ(
        folder,
        TEMPOFTP_PORT=str(find_free_port()),
        TEMPOFTP_TRANSFERS_SECONDS="0.5",
        # The shares stand still; what is shown of their host must not look old.
        TEMPOFTP_FACTS_MAX_AGE_SECONDS="3600",
        TEMPOFTP_PUBLIC_URL="https://datos.inst.example",
        # For its button; nobody presses it.
        TEMPOFTP_OIDC_ISSUER="https://cuentas.inst.example",
        TEMPOFTP_OIDC_CLIENT_ID="tempoftp",
        TEMPOFTP_OIDC_CLIENT_SECRET="pressed-by-nobody",
        TEMPOFTP_OIDC_ROLES="datos=cliente",
    )
    url = f"http://127.0.0.1:{environ['TEMPOFTP_PORT']}"
    token = make_tokens(environ)
    argv = {name: [TEMPOFTP, name] for name in ("serve", "worker")}
    database = Database(
        Settings(
            simulacro=True,
            encryption_key=environ["TEMPOFTP_ENCRYPTION_KEY"],
            secret_key=environ["TEMPOFTP_SECRET_KEY"],
            state_dir=folder / "state",
        ).sqlalchemy_url
    )
    with (folder / "log").open("w") as log:
        processes = {
            name: subprocess.Popen(command, env=environ, stdout=log, stderr=log)
            for name, command in argv.items()
        }
        try:
            wait_until_up(url, list(processes.values()), folder / "log")
            ask_for_shares(url, token)
            processes["worker"].terminate()
            processes["worker"].wait(timeout=40)
            dress_rows(database)
            yield (
                Place(url, token, PREVIEWED, simulated=True),
                lambda: processes.update(
                    worker=subprocess.Popen(argv["worker"], env=environ, stdout=log, stderr=log)
                ),
            )
        finally:
            for process in processes.values():
                process.terminate()
                process.wait(timeout=40)
            database.close()


def make_tokens(environ: dict[str, str]) -> str:
    """Make some tokens, and return an operator's."""
    made = {}
    for name, *options in (
        ("operaciones", "--role", "operador"),
        ("portal-web", "--email", "*"),
        ("ana", "--email", "ana.ruiz@inst.example", "--days", "90"),
        ("pasante-2025", "--email", "luis.vega@geo.example"),
    ):
        made[name] = run_command(environ, "token", "create", name, *options).out.strip()
    run_command(environ, "token", "revoke", "pasante-2025")
    return made["operaciones"]


def ask_for_shares(url: str, token: str) -> None:
    """Ask for the shares and wait until each is where its source leads it."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
        for share_id, email, path, days in SHARES:
            body = {"usuario": email, "id": share_id, "ruta": f"source1:/srv/datos/{path}", "vigencia": days}
            assert client.post("/tmpftp", json=body).status_code == 202
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            listed = client.get("/tmpftp").json()["solicitudes"]
            on_its_way = [share for share in listed if share["estado"] in ("recibido", "preparando")]
            counted = [
                share for share in listed if share["estado"] == "listo" and share["descargas"] is not None
            ]
            if not on_its_way and len(counted) == len(SHARES) - 2:
                break
            time.sleep(0.5)
        client.post("/tmpftp/abi_bloqueada/bloquear", json={"razon": "se revisa la licencia de los datos"})
        client.delete("/tmpftp/npp_terminada")
        client.post("/tmpftp/auditoria", json={})


def ask_for_days(url: str, token: str) -> dict[str, str]:
    """Make links of some shares and ask for more days by two of them; returns the links' paths."""
    headers = {"Authorization": f"Bearer {token}"}
    links = {}
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        for share_id in {share_id for share_id, _rest in RECIPIENT_PAGES.values()} | set(EXTENSIONS):
            made = client.post(f"/tmpftp/{share_id}/enlace", json={}, headers=headers)
            links[share_id] = urlsplit(made.json()["enlace"]).path
        for share_id, (days, reason) in EXTENSIONS.items():
            body = {"dias": days, "motivo": reason}
            assert client.post(f"{links[share_id]}/prorroga", json=body).status_code == 200
    return links


def dress_rows(database: Database) -> None:
    """Make what was simulated look like a day of work: large shares, an earlier request, a finding."""
    now = utc_now()
    with database.write() as session:
        shares = list(session.scalars(select(Share).order_by(Share.created_at)))
        for number, share in enumerate(shares):
            share.bytes_total = (share.bytes_total or 0) * ENLARGED or None
            share.bytes_done = (share.bytes_done or 0) * ENLARGED or None
            share.created_at = now - timedelta(hours=7 * (len(shares) - number))
        moving = session.get_one(Share, "goes19_completo")
        moving.bytes_total, moving.bytes_done, moving.percent = 84_300_000_000, 35_400_000_000, 42.0
        moving.files_total, moving.files_done, moving.rate, moving.eta = 1_248, 519, 96_400_000.0, 507.0
        host = session.scalars(select(FtpHost)).one()
        used = sum(share.bytes_total or 0 for share in shares)
        server = {
            "host": "ftp.inst.example",
            "port": 21,
            "tls": True,
            "fingerprint": "sha256:" + ":".join(["3F", "9A", "C1", "07"] * 8),
        }
        host.facts = (host.facts or {}) | {
            "space_total": 2 * 10**12,
            "space_free": 12 * 10**11 - used,
            "server": server,
        }
        audit = session.scalars(select(HostAudit)).one()
        audit.findings = [
            {
                "kind": "unknown_directory",
                "subject": "/data/ftp_prueba_manual",
                "detail": "no manifest and no account of ours names it; look at it and move it away by hand",
                "repair": "manual",
                "repaired": False,
            },
            {
                "kind": "row_not_due",
                "subject": "goes18_huracan",
                "detail": "it is traslado, but it is not due, so no worker works on it",
                "repair": "safe",
                "repaired": False,
            },
        ]


def open_looks(
    chromium: Browser, place: Place, wanted: set[str]
) -> Iterator[tuple[Page, Callable[[str], None]]]:
    """Yield a window of each look, and what takes a picture of it if it is wanted."""
    for scheme in ("light", "dark"):
        for size, (width, height) in SIZES.items():
            context = chromium.new_context(
                base_url=place.url,
                locale="es-MX",
                color_scheme=scheme,  # type: ignore[arg-type]  # one of the two
                viewport={"width": width, "height": height},
            )
            page = context.new_page()

            def take(name: str, page: Page = page, look: str = f"{scheme}-{size}") -> None:
                if not wanted or name in wanted:
                    page.screenshot(path=FOLDER / f"{name}-{look}.png", full_page=True, animations="disabled")

            yield page, take
            context.close()


def take_pictures(chromium: Browser, place: Place, wanted: set[str]) -> None:
    """Take each page in each look; with names only those."""
    links = ask_for_days(place.url, place.token)
    for page, take in open_looks(chromium, place, wanted):
        page.goto("/portal/entrar")
        take("sign-in")
        for name, (share_id, rest) in RECIPIENT_PAGES.items():
            page.goto(f"/portal{links[share_id]}{rest}")
            take(name)
        page.goto(f"/portal{links['himawari_sst']}")
        reveal_password(page)
        hide(page, "clave", "kT7…(simulada)…p4")
        take("recipient-credentials")
        sign_in(page, place)
        for name, path in PAGES.items():
            page.goto(path)
            take(name)
        page.goto("/portal/nueva")
        page.locator("#usuario").fill("ana.ruiz@inst.example")
        page.locator("#camino").fill("goes16/../..")
        page.locator("#vigencia").fill("30")
        page.locator("main form .button-main").click()
        page.locator("#errores").wait_for()
        take("request-refused")
        page.goto(PAGES["share"])
        reveal_password(page)
        hide(page, "clave", "kT7…(simulada)…p4")
        take("credentials")
        page.goto(PAGES["share"])
        page.locator("form[action$='/enlace'] button").click()
        hide(page, "enlace", "https://datos.inst.example/enlace/WyJnb2VzMTZfYWJyaWwi…")
        take("link")


def take_previews(chromium: Browser, place: Place, wanted: set[str]) -> None:
    """Take the form with the size of a source, which a worker has to measure."""
    for page, take in open_looks(chromium, place, wanted):
        page.goto("/portal/entrar")
        sign_in(page, place)
        preview(page, place)
        take("request-preview")


def hide(page: Page, name: str, text: str) -> None:
    """Put words in the place of a secret: a picture stays for ever, and has none, be it of a simulated account."""
    page.locator(f"#{name}").evaluate("(element, text) => { element.textContent = text; }", text)


def main() -> int:
    """Make all pictures anew, or those that are named."""
    wanted = set(sys.argv[1:])
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.stderr.write("there is no Chromium: make screenshots installs it\n")
        return 1
    if not wanted:
        shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as name,
        run_service(Path(name)) as (place, start_worker),
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        take_pictures(chromium, place, wanted)
        start_worker()
        take_previews(chromium, place, wanted)
        chromium.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
