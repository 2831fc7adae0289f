-- Whose news of a computer counts --------------------------------------------------------------------

-- Which server told the status that a computer of a downstream server has here: servers count their reports each for
-- itself, so a number says nothing without its teller. NULL in rows of earlier versions, which are told again.
ALTER TABLE downstream_computer ADD COLUMN received_from BLOB CHECK (length(received_from) = 16);
