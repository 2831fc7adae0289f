"""MS-WUSP 3.1.5.10: GetFileLocations."""
