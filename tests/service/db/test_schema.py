"""Migrations make what the models say, once, whoever comes first."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, select, text

from tempoftp.db.engine import Database, open_database
from tempoftp.db.models import Base
from tempoftp.db.models.shares import HistoryEntry, Share
from tempoftp.db.models.tokens import Token
from tempoftp.db.schema import build_config, upgrade_database
from tempoftp.phrases import Phrase
from tempoftp.settings import Settings


def test_migrations_and_models_agree(database: Database) -> None:
    with database.begin_exclusive() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_upgrade_may_come_from_several_at_once(settings: Settings, database: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: upgrade_database(settings), range(4)))
    tables = set(inspect(database.engine).get_table_names())
    assert tables == {"alembic_version", *Base.metadata.tables}


def insert_row(connection: Connection, table: str, **values: object) -> None:
    """Insert a row into a table of any age: what it must have and was not given is filled by its type."""
    fillers = {
        "VARCHAR": "x",
        "TEXT": "x",
        "INTEGER": 1,
        "BIGINT": 1,
        "BOOLEAN": 0,
        "DATETIME": "2026-01-01 00:00:00",
    }
    for column in inspect(connection).get_columns(table):
        kind = str(column["type"]).partition("(")[0].partition(" ")[0]
        if not column["nullable"] and column["name"] not in values:
            values[column["name"]] = fillers[kind]
    names = ", ".join(values)
    connection.execute(
        text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(':' + n for n in values)})"), values
    )


@pytest.fixture
def first_release(settings: Settings) -> Database:
    """A database as the first release left it, with a share in it."""
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    database = open_database(settings)
    config = build_config()
    with database.begin_exclusive() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        insert_row(connection, "accounts", name="ftp_a", email="a@b")
        insert_row(connection, "shares", id="s1", ftpuser="ftp_a", email="a@b", state="listo")
        insert_row(connection, "history", share_id="s1", to_state="listo")
    return database


def test_a_database_in_use_is_upgraded_and_loses_no_row(settings: Settings, first_release: Database) -> None:
    upgrade_database(settings)
    with first_release.read() as session:
        rows = session.execute(
            text(
                "SELECT a.email, s.id, h.to_state FROM accounts a, shares s, history h "
                "WHERE s.ftpuser = a.name AND h.share_id = s.id"
            )
        ).all()
        enforced = session.execute(text("PRAGMA foreign_keys")).scalar_one()
    assert rows == [("a@b", "s1", "listo")]
    assert enforced == 1
    first_release.close()


def test_a_migration_that_breaks_a_reference_is_undone(first_release: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="shares"), first_release.begin_exclusive() as connection:
        connection.execute(text("DELETE FROM accounts"))
    with first_release.read() as session:
        assert session.execute(text("SELECT count(*) FROM accounts")).scalar_one() == 1
    first_release.close()


def test_texts_of_an_earlier_release_become_phrases(settings: Settings, database: Database) -> None:
    config = build_config()
    with database.begin_exclusive() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "previews")
        insert_row(connection, "accounts", name="ftp_a", email="a@b")
        insert_row(connection, "shares", id="s1", ftpuser="ftp_a", email="a@b", message="Falló: «x» 100 %")
        insert_row(connection, "shares", id="s2", ftpuser="ftp_a", email="a@b", message="")
        for reason in ("requested", "block requested: 'uso'"):
            insert_row(connection, "history", number=None, share_id="s1", reason=reason)
        command.upgrade(config, "head")
    with database.read() as session:
        assert session.get_one(Share, "s1").message == (Phrase("verbatim", text="Falló: «x» 100 %"),)
        assert session.get_one(Share, "s2").message == ()
        entries = session.scalars(select(HistoryEntry).order_by(HistoryEntry.number))
        assert [entry.reason for entry in entries] == [
            Phrase("requested"),
            Phrase("verbatim", text="block requested: 'uso'"),
        ]
    with database.begin_exclusive() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "previews")
        texts = connection.execute(text("SELECT reason FROM history ORDER BY number")).scalars().all()
        messages = connection.execute(text("SELECT message FROM shares ORDER BY id")).scalars().all()
    assert texts == ["requested", "block requested: 'uso'"]
    assert messages == ["Falló: «x» 100 %", ""]


def test_each_share_gets_a_nonce_of_its_own_and_tokens_have_no_key_yet(
    settings: Settings, database: Database
) -> None:
    config = build_config()
    with database.begin_exclusive() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "body_digests")
        insert_row(connection, "accounts", name="ftp_a", email="a@b")
        for number, state in enumerate(("listo", "eliminado", "expirado", "listo")):
            insert_row(
                connection,
                "shares",
                id=f"s{number}",
                ftpuser="ftp_a",
                state=state,
                link_number=number,
                message="[]",
            )
        insert_row(connection, "tokens", name="ana", emails='["*"]')
        command.upgrade(config, "head")
    with database.read() as session:
        nonces = list(session.scalars(select(Share.link_nonce)))
        assert session.get_one(Token, "ana").key is None
    assert [len(nonce) for nonce in nonces] == [22] * 4
    assert len(set(nonces)) == 4
    with database.begin_exclusive() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "body_digests")
        numbers = connection.execute(text("SELECT link_number FROM shares")).scalars().all()
    assert numbers == [0] * 4


def test_a_password_that_is_no_hash_is_removed(settings: Settings, first_release: Database) -> None:
    hashes = {
        "a": "$2b$12$" + "a" * 53,
        "b": "$6$salt$" + "x" * 86,
        "c": "in clear",
        "d": "$ecreto",
        "e": None,
    }
    with first_release.begin_exclusive() as connection:
        for name, stored in hashes.items():
            insert_row(connection, "accounts", name=name, email=f"{name}@other", password_hash=stored)
    upgrade_database(settings)
    with first_release.read() as session:
        query = text("SELECT name, password_hash FROM accounts WHERE name != 'ftp_a'")
        kept = {name: stored for name, stored in session.execute(query)}
    assert kept == hashes | {"c": None, "d": None}
