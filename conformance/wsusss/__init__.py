"""MS-WSUSSS: update servers as upstreams of others. One file per section."""
