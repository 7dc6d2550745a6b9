-- What keeps a daemon from working, in its own words: no room on its disk, for example.
ALTER TABLE daemons ADD COLUMN trouble TEXT;
