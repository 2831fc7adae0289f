"""What the checks share: a server to test, its admin API, documents to put into it."""
