"""MS-WUSP 3.1.5.5: RegisterComputer."""
