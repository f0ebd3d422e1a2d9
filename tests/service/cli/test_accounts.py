from __future__ import annotations


def test_map_list_unmap(tempoftp_alone) -> None:
    mapped = tempoftp_alone("account", "map", "Juan@Dominio", "juan.perez")
    assert (mapped.code, mapped.err) == (0, "")
    email, name, host = mapped.out.strip().split("\t")
    assert (email, name) == ("juan@dominio", "juan.perez")
    assert tempoftp_alone("account", "list").out == f"juan@dominio\tjuan.perez\t{host}\tmapped\n"
    assert tempoftp_alone("account", "unmap", "juan@dominio").code == 0
    assert tempoftp_alone("account", "list").out == ""


def test_a_refused_mapping_exits_4_and_changes_nothing(tempoftp_alone) -> None:
    tempoftp_alone("account", "map", "juan@dominio", "juan")
    before = tempoftp_alone("account", "list").out
    for argv in (("otra@dominio", "juan"), ("juan@dominio", "otra"), ("no-mail", "x")):
        refused = tempoftp_alone("account", "map", *argv)
        assert refused.code == 4, argv
        assert "Traceback" not in refused.err
    assert tempoftp_alone("account", "list").out == before


def test_an_unknown_ftp_host_is_refused(tempoftp_alone) -> None:
    refused = tempoftp_alone("account", "map", "juan@dominio", "juan", "--ftp-host", "otro")
    assert refused.code == 2
    assert "--ftp-host" in refused.err
