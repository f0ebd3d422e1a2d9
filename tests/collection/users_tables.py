"""The users tables that are out there."""

from __future__ import annotations

# The seed's §4.3, to the letter.
SEED_TABLE = """
CREATE TABLE users (
   User VARCHAR(64) PRIMARY KEY,
   Password VARCHAR(64) NOT NULL,
   Uid INT NOT NULL,
   Gid INT NOT NULL,
   Dir VARCHAR(255) NOT NULL,
   Status TINYINT NOT NULL DEFAULT 1
)"""
OUR_TABLE = """
CREATE TABLE users (
   User VARCHAR(64) PRIMARY KEY,
   Password VARCHAR(255) NOT NULL,
   Uid INT NOT NULL,
   Gid INT NOT NULL,
   Dir VARCHAR(255) NOT NULL,
   Status TINYINT NOT NULL DEFAULT 1,
   Expires DATETIME NULL
)"""
# As older pure-ftpd guides have it.
ENUM_TABLE = """
CREATE TABLE users (
   User VARCHAR(64) NOT NULL DEFAULT '',
   Status ENUM('0','1') NOT NULL DEFAULT '0',
   Password VARCHAR(64) NOT NULL DEFAULT '',
   Uid VARCHAR(11) NOT NULL DEFAULT '-1',
   Gid VARCHAR(11) NOT NULL DEFAULT '-1',
   Dir VARCHAR(128) NOT NULL DEFAULT '',
   ULBandwidth SMALLINT NOT NULL DEFAULT 0,
   QuotaSize SMALLINT NOT NULL DEFAULT 0,
   PRIMARY KEY (User)
) ENGINE=MyISAM"""

# With names of its own, and a column that wants a value.
FOREIGN_TABLE = """
CREATE TABLE ftpd (
   login VARCHAR(32) NOT NULL PRIMARY KEY,
   passwd VARCHAR(128) NOT NULL,
   ftp_uid INT NOT NULL,
   ftp_gid INT NOT NULL,
   homedir VARCHAR(255) NOT NULL,
   active ENUM('0','1') NOT NULL DEFAULT '0',
   QuotaSize INT NOT NULL,
   `com``ment %` TINYTEXT NOT NULL
)"""
FOREIGN_NAMES = {
    "table": "ftpd",
    "columns": {
        "name": "Login",
        "password": "passwd",
        "uid": "ftp_uid",
        "gid": "ftp_gid",
        "home": "homedir",
        "status": "active",
    },
}
