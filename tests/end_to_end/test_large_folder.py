"""A folder with more than the 10,000 entries that pure-ftpd lists by default: every listing has all of them."""

from __future__ import annotations

import pytest

from tests.support.api_client import ApiClient
from tests.support.ftps import log_in
from tests.support.stage import Stage

pytestmark = pytest.mark.lab

FILES = 12_000


def test_more_than_ten_thousand_entries_are_listed(api: ApiClient, stage: Stage) -> None:
    source = stage.make_tree("muchos", files=0)
    stage.source(f"cd {source} && seq -f 'dato_%05g.nc' {FILES} | xargs touch")
    api.post("muchos@dominio.example", "muchos_1", f"source1:{source}")
    ready = api.wait_ready("muchos_1", seconds=180)
    expected = {f"dato_{number:05}.nc" for number in range(1, FILES + 1)} | {"sub carpeta"}
    with log_in(stage.ftp_address, ready["usuario"], stage.decrypt(ready["password"])) as client:
        client.cwd("/muchos_1")
        by_facts = {name for name, _facts in client.mlsd()}
        by_name = set(client.nlst())
        lines: list[str] = []
        client.retrlines("LIST", lines.append)
    by_line = {line.split(maxsplit=8)[8] for line in lines}  # as `ls -l` writes it
    for listed in (by_facts, by_name, by_line):
        assert listed - {".", ".."} == expected
