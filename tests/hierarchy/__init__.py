"""Trees of servers as processes of their own: synchronization, decisions, reports, trouble on the way."""
