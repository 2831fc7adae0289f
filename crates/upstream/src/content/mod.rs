//! Content: the files of updates, fetched from an upstream and verified.
