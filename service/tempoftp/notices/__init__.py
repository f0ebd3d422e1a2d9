"""Telling people what happened: mail and webhooks."""
