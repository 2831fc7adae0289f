"""MS-WUSP 2.2.2.5: content directories."""
