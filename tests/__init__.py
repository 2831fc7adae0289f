"""Black-box checks: whatever can be seen from outside the server."""
