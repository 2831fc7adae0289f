"""The protocol as seen from a client, written for these checks alone: HTTP, SOAP, Xpress, answers.

Nothing here knows any server's inside; it is the second reading of the specification that the
server's own reading is checked against.
"""
