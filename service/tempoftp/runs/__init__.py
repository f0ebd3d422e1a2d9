"""Runs: the queue that wakes the worker, the claim, one playbook execution, and its outcome (steps 3 to 8)."""
