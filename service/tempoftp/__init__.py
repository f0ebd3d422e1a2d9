"""tempoftp: temporary FTP accounts with a copy of just the data somebody asked for."""

__version__ = "0.1.0"
