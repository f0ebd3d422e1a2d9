"""A plain application that uses the REST API: it sends requests and polls, and imports nothing of the service."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

ON_ITS_WAY = {"recibido", "preparando", "traslado", "eliminando"}


class ApiClient:
    """The `/tmpftp` API at `url`, for the holder of `token`."""

    def __init__(self, url: str, token: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=20)

    def post(self, usuario: str, share_id: str, ruta: str, vigencia: int | None = None) -> httpx.Response:
        body: dict[str, Any] = {"usuario": usuario, "id": share_id, "ruta": ruta}
        if vigencia is not None:
            body["vigencia"] = vigencia
        return self.http.post("/tmpftp", json=body)

    def get(self, share_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.http.get(f"/tmpftp/{share_id}").json()
        return answer

    def wait_for(
        self, share_id: str, reached: Callable[[dict[str, Any]], bool], *, seconds: float = 90
    ) -> dict[str, Any]:
        """Poll until `reached(answer)`; fails with the last answer after `seconds`."""
        deadline = time.monotonic() + seconds
        while not reached(answer := self.get(share_id)):
            assert time.monotonic() < deadline, f"{share_id} did not get there in {seconds} s: {answer}"
            time.sleep(0.1)
        return answer

    def wait_for_health(
        self, reached: Callable[[dict[str, Any]], bool], *, seconds: float = 90
    ) -> dict[str, Any]:
        """Poll `GET /health` until `reached(answer)`; fails with the last answer after `seconds`."""
        deadline = time.monotonic() + seconds
        while not reached(answer := self.http.get("/health").json()):
            assert time.monotonic() < deadline, f"not in {seconds} s: {answer}"
            time.sleep(0.1)
        return dict(answer)

    def wait_ready(self, share_id: str, *, seconds: float = 90) -> dict[str, Any]:
        """Poll until the share is `listo`; fail at once on `error`."""
        answer = self.wait_for(share_id, lambda a: a.get("status") not in ON_ITS_WAY, seconds=seconds)
        assert answer.get("status") == "listo", answer
        return answer

    def preview(self, ruta: str, *, seconds: float = 90) -> dict[str, Any]:
        """Ask how large a source is, and poll until it is measured or has failed."""
        deadline = time.monotonic() + seconds
        response = self.http.post("/tmpftp/vista_previa", json={"ruta": ruta})
        assert response.status_code in (200, 202), response.text
        while (answer := dict(response.json()))["estado"] == "pendiente":
            assert time.monotonic() < deadline, f"not measured in {seconds} s: {answer}"
            time.sleep(0.2)
            response = self.http.get(f"/tmpftp/vista_previa/{answer['id']}")
        return answer

    def delete_all(self) -> None:
        """Delete every share and wait until all are gone."""
        ids = [share["id"] for share in self.http.get("/tmpftp").json()["solicitudes"]]
        # At the same time, because each answer waits until its share is gone.
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(self.delete, ids))

    def delete(self, share_id: str, *, seconds: float = 60) -> None:
        """Delete and wait until it is gone: 404, or `expirado` when it had ended before."""
        answer = self.http.delete(f"/tmpftp/{share_id}")
        assert answer.status_code in (200, 202, 404), answer.text
        deadline = time.monotonic() + seconds
        while (found := self.http.get(f"/tmpftp/{share_id}")).status_code != 404:
            if found.json().get("status") == "expirado":
                return
            assert time.monotonic() < deadline, f"{share_id} is still there: {found.text}"
            time.sleep(0.1)
