"""MS-WUSP 3.1.5.11: ReportEventBatch."""
