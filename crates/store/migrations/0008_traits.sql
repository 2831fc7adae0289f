-- What few decisions ask for (catalog::Traits as its text); absent for what came before this was kept, until
-- somebody reads its document.
ALTER TABLE listing ADD COLUMN traits TEXT;
