-- 0004: channels that are declared by a file, and what accounts fetch from
-- their channels: tokens and certificates.

CREATE TABLE channel_file (
  name       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  body       MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL,
  digest     BINARY(32) NOT NULL,   -- SHA-256 of body
  status     ENUM('active','withdrawn') NOT NULL,
  created_at DATETIME(3) NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  ver        INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (name)
) ENGINE=InnoDB;

-- Who fetches holds the lease; `value` is sealed, '' = nothing was fetched yet.
CREATE TABLE channel_kept (
  account_id  VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  value       VARBINARY(16384) NOT NULL,
  value_ver   INT UNSIGNED NOT NULL DEFAULT 0,   -- counts values, not leases
  refresh_at  DATETIME(3) NOT NULL,
  expires_at  DATETIME(3) NOT NULL,
  hint        VARCHAR(512) CHARACTER SET utf8mb4 NOT NULL DEFAULT '',   -- of the last that was fetched for one
  lease_by    VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  lease_until DATETIME(3) NOT NULL,
  tried_at    DATETIME(3) NOT NULL,
  updated_at  DATETIME(3) NOT NULL,   -- of value
  ver         INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id)
) ENGINE=InnoDB;
