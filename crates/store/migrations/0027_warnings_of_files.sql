-- What of a run's warning is about files, apart: it is the reason of an alert that is about files alone.
ALTER TABLE sync_run ADD COLUMN files_warning TEXT;
