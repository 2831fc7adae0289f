-- The server at which a computer of a server below is by what was told last of it, when that was known here before: who
-- tells so knows less than this server, which says nothing of the statuses that it tells.
ALTER TABLE downstream_computer ADD COLUMN behind BLOB CHECK (length(behind) = 16);
