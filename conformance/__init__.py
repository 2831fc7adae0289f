"""Conformance suite of the Windows Update Services client-server protocol (MS-WUSP)."""
