"""MS-WUSP 3.1.5.9: GetExtendedUpdateInfo."""
