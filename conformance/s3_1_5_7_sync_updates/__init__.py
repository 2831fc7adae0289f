"""MS-WUSP 3.1.5.7: SyncUpdates."""
