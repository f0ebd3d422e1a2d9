"""Audits: each FTP host is compared with the rows, and differences are reported and repaired."""
