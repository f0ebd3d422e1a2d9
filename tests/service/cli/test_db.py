from __future__ import annotations

from pathlib import Path


def test_upgrade_makes_the_database_and_may_be_repeated(tempoftp_alone, tmp_path: Path) -> None:
    assert tempoftp_alone("db", "upgrade").code == 0
    assert (tmp_path / "state" / "tempoftp.sqlite3").exists()
    assert tempoftp_alone("db", "upgrade").code == 0


def test_upgrade_says_which_setting_when_it_cannot(tempoftp_alone, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    ended = tempoftp_alone("db", "upgrade")
    assert ended.code == 5
    assert "TEMPOFTP_STATE_DIR" in ended.err
    assert "Traceback" not in ended.err


def test_upgrade_does_not_show_the_databases_password(tempoftp_alone) -> None:
    url = "mysql+pymysql://tempoftp:secreta@127.0.0.1:1/tempoftp"
    ended = tempoftp_alone("db", "upgrade", TEMPOFTP_DATABASE_URL=url)
    assert ended.code == 5
    assert "secreta" not in ended.out + ended.err
