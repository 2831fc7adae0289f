"""Bounds on what a sender may send (no section of its own; MS-WUSP 5.1)."""
