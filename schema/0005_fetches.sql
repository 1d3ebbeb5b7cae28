-- 0005: what an account fetches by an id that a message named has a lease of
-- its own beside what it fetches for a token.

ALTER TABLE channel_kept
  ADD COLUMN own_ver        INT UNSIGNED NOT NULL DEFAULT 0,   -- of value_ver, those that no id was named for
  ADD COLUMN id_lease_by    VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  ADD COLUMN id_lease_until DATETIME(3) NOT NULL DEFAULT '1970-01-01 00:00:00',
  ADD COLUMN ids            VARBINARY(256) NOT NULL DEFAULT '';   -- asked for of late: worker/refresh_ids.h
