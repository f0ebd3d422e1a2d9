"""The findings of an audit's row, parsed."""

from __future__ import annotations

from tempoftp.audits.results import Finding
from tempoftp.db.models import HostAudit


def list_findings(audit: HostAudit) -> list[Finding]:
    """Return the findings of the last audit of a host."""
    return [Finding.model_validate(finding) for finding in audit.findings or ()]
