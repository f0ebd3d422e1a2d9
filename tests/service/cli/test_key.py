from __future__ import annotations

from cryptography.fernet import Fernet


def test_new_prints_a_key_that_the_service_takes(tempoftp_alone) -> None:
    first, second = tempoftp_alone("key", "new"), tempoftp_alone("key", "new")
    assert first.code == 0
    assert first.out != second.out
    token = Fernet(first.out.strip()).encrypt(b"clave").decode()
    assert tempoftp_alone("decrypt", token, TEMPOFTP_ENCRYPTION_KEY=first.out.strip()).out == "clave\n"
