"""Comparing each FTP host with the rows, and what follows from the differences."""
