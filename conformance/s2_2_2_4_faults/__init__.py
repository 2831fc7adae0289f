"""MS-WUSP 2.2.2.4: faults."""
