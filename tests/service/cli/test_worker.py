from __future__ import annotations


def test_refuses_settings_without_a_key(tempoftp_alone) -> None:
    ended = tempoftp_alone("worker", TEMPOFTP_ENCRYPTION_KEY=None)
    assert ended.code == 2
    assert "TEMPOFTP_ENCRYPTION_KEY is required" in ended.err


def test_carries_out_what_was_asked(tempoftp) -> None:
    """The worker of the running service; its stop with exit code 0 is asserted by the fixture."""
    assert tempoftp("request", "obra@dominio", "obra_1", "source1:/srv/datos/tarda-0", "--watch").code == 0


def test_refuses_a_file_of_webhooks_that_everybody_can_read(tempoftp_alone, tmp_path) -> None:
    path = tmp_path / "webhooks.yml"
    path.write_text("webhooks: []")
    path.chmod(0o644)
    ended = tempoftp_alone("worker", TEMPOFTP_WEBHOOKS_FILE=str(path))
    assert ended.code == 2
    assert "chmod o-r" in ended.err
