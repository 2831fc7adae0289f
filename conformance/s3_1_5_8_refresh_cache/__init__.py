"""MS-WUSP 3.1.5.8: RefreshCache."""
