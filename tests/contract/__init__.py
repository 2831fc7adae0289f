"""Contract checks with an independent SOAP client."""
