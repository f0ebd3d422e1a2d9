"""A client that a generator makes only from the `/openapi.json` of a service."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx

PACKAGE = "cliente_generado"


def import_package(folder: Path) -> ModuleType:
    """Import the package in *folder*; afterwards its modules can be imported by their names."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    return package


class GeneratedClient:
    """The generated package, importable, and a client of it that signs in."""

    def __init__(self, url: str, folder: Path) -> None:
        """Fetch the document from the service at `url` and generate the package below `folder`."""
        self.url = url
        self.root = folder / PACKAGE
        document = folder / "openapi.json"
        document.write_bytes(httpx.get(f"{url}/openapi.json", trust_env=False).content)
        options = folder / "options.json"
        options.write_text(json.dumps({"post_hooks": []}))
        generate = ["-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"]
        given = ["--path", str(document), "--config", str(options), "--output-path", str(self.root)]
        done = subprocess.run(
            [sys.executable, *generate, *given], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]  # the client of another service
        self.package = import_package(self.root)

    def load(self, name: str) -> Any:
        """Import a module of the package."""
        return importlib.import_module(f"{PACKAGE}.{name}")

    def list_modules(self) -> list[str]:
        """Return the names of all modules of the package."""
        names = [
            ".".join(path.relative_to(self.root).with_suffix("").parts) for path in self.root.rglob("*.py")
        ]
        return [name.removesuffix(".__init__") for name in names if name != "__init__"]

    def sign_in(self, token: str) -> Any:
        return self.package.AuthenticatedClient(base_url=self.url, token=token)

    def wait_until_settled(self, client: Any, share_id: str, seconds: float = 60) -> Any:
        """Poll at the interval that the service gives until the share has settled; return the share."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = self.load("api.solicitudes.get_share").sync_detailed(id=share_id, client=client)
            if answer.status_code == 200:
                return answer.parsed
            assert answer.status_code == 202
            time.sleep(min(int(answer.headers["Retry-After"]), 1))
        raise AssertionError("it did not become ready")
