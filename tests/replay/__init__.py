"""Recorded requests of a real agent, sent to this server."""
