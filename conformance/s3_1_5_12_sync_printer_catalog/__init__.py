"""MS-WUSP 3.1.5.12: SyncPrinterCatalog."""
