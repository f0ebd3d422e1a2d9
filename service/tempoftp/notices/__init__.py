"""Notices: what happened is sent by mail and webhooks."""
