"""Contract checks with the classic .NET SOAP stack."""
