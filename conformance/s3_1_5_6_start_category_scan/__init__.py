"""MS-WUSP 3.1.5.6: StartCategoryScan."""
