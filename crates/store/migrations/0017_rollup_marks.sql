-- Whose news of a computer counts --------------------------------------------------------------------

-- Which server told the status that a computer of a downstream server has here: servers count their reports each for
-- itself, so a number says nothing without its teller. NULL in rows of earlier versions, which are told again.
ALTER TABLE downstream_computer ADD COLUMN received_from BLOB CHECK (length(received_from) = 16);

-- What tells one status of a computer from another when the upstream is told: taken at random with each change, so that
-- neither a server that counts again nor one that forgot repeats it. NULL while there is no status; -1 for those that
-- earlier versions have, which are told once more.
ALTER TABLE computer ADD COLUMN status_mark INTEGER;
ALTER TABLE downstream_computer ADD COLUMN status_mark INTEGER;
UPDATE computer SET status_mark = -1
    WHERE status_at IS NOT NULL OR EXISTS (SELECT 1 FROM update_status s WHERE s.computer = computer.id);
UPDATE downstream_computer SET status_mark = -1 WHERE received > 0;
