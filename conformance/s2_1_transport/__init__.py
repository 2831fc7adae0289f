"""MS-WUSP 2.1: transport."""
