"""A control host on this machine: the tempoftp API and worker beside a lab net (demo, tests, benchmark)."""

from __future__ import annotations

from .control import Control, ControlError

__all__ = ["Control", "ControlError"]
