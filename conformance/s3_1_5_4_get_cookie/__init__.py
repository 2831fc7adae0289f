"""MS-WUSP 3.1.5.4: GetCookie."""
