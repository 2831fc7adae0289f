"""MS-WUSP 3.1.5.2: GetConfig."""
