"""MS-WUSP 3.1.5.3: GetAuthorizationCookie."""
