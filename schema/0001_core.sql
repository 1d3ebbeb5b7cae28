-- 0001: merchants, accounts, payments.  The rules behind every table stand in
-- schema/README.md.  Times are DATETIME(3) in UTC by the database's clock;
-- amounts are BIGINT minor units; ids and caller-chosen keys are ascii_bin.
-- Traffic tables start with one open partition; `payhub schema up` splits
-- months off ahead of time.

CREATE TABLE merchant (
  id          VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name        VARCHAR(128) CHARACTER SET utf8mb4 NOT NULL,
  created_at  DATETIME(3) NOT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB;

CREATE TABLE app (
  id              VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  merchant_id     VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name            VARCHAR(128) CHARACTER SET utf8mb4 NOT NULL,
  webhook_secret  VARBINARY(512) NOT NULL,
  status          ENUM('active','disabled') NOT NULL,
  created_at      DATETIME(3) NOT NULL,
  ver             INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (id),
  KEY by_merchant (merchant_id)
) ENGINE=InnoDB;

CREATE TABLE app_key (
  id          VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  app_id      VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  alg         VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  schemes     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  role        VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  secret      VARBINARY(512) NULL,
  public_key  VARCHAR(4096) CHARACTER SET ascii COLLATE ascii_bin NULL,
  not_before  DATETIME(3) NULL,
  not_after   DATETIME(3) NULL,
  created_at  DATETIME(3) NOT NULL,
  revoked_at  DATETIME(3) NULL,
  ver         INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (id),
  KEY by_app (app_id)
) ENGINE=InnoDB;

CREATE TABLE channel_account (
  id          VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  channel     VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name        VARCHAR(128) CHARACTER SET utf8mb4 NOT NULL,
  app_id      VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  weight      INT UNSIGNED NOT NULL DEFAULT 1,
  status      ENUM('active','drained') NOT NULL,
  settings    TEXT CHARACTER SET utf8mb4 NOT NULL,
  secrets     VARBINARY(16384) NOT NULL,
  created_at  DATETIME(3) NOT NULL,
  updated_at  DATETIME(3) NOT NULL,
  ver         INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (id)
) ENGINE=InnoDB;

CREATE TABLE audit (
  id       BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  at       DATETIME(3) NOT NULL,
  who      VARCHAR(64) CHARACTER SET utf8mb4 NOT NULL,
  act      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  detail   TEXT CHARACTER SET utf8mb4 NOT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB;

-- Uniqueness for ever: narrow, partitioned by key.

CREATE TABLE payment_no (
  app_id        VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_no      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payment_id    CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  request_hash  BINARY(32) NOT NULL,
  ver           INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (app_id, order_no)
) ENGINE=InnoDB PARTITION BY KEY (app_id, order_no) PARTITIONS 16;

CREATE TABLE channel_trade (
  channel     VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  account_id  VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  trade_no    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  attempt_id  CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ver         INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (channel, account_id, trade_no)
) ENGINE=InnoDB PARTITION BY KEY (channel, account_id, trade_no) PARTITIONS 16;

CREATE TABLE notice_seen (
  account_id  VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  notice_id   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  event_id    CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ver         INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, notice_id)
) ENGINE=InnoDB PARTITION BY KEY (account_id, notice_id) PARTITIONS 16;

-- Work to be done: one narrow row per order that is not at rest.

CREATE TABLE work (
  payment_id  CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  due_at      DATETIME(3) NOT NULL,
  tries       SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  lease_by    VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  ver         INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (payment_id),
  KEY by_due (due_at)
) ENGINE=InnoDB;

-- Traffic: id = primary key, partitioned by month, no other unique key.

CREATE TABLE payment (
  id                CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  merchant_id       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  app_id            VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_no          VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  status            ENUM('created','paying','paid','failed','closed','paid_late','conflict') NOT NULL,
  amount            BIGINT NOT NULL,
  currency          CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount_refunded   BIGINT NOT NULL DEFAULT 0,
  amount_refunding  BIGINT NOT NULL DEFAULT 0,
  method            VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  channel           VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  account_id        VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  error_class       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  attempt_ids       VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  channel_trade_no  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  subject           VARCHAR(128) CHARACTER SET utf8mb4 NOT NULL,
  description       VARCHAR(256) CHARACTER SET utf8mb4 NULL,
  notify_url        VARCHAR(512) CHARACTER SET utf8mb4 NULL,
  return_url        VARCHAR(512) CHARACTER SET utf8mb4 NULL,
  client_ip         VARCHAR(45) CHARACTER SET ascii COLLATE ascii_bin NULL,
  extra             TEXT CHARACTER SET utf8mb4 NULL,
  metadata          TEXT CHARACTER SET utf8mb4 NULL,
  error_code        VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  error_message     VARCHAR(256) CHARACTER SET utf8mb4 NOT NULL DEFAULT '',
  channel_code      VARCHAR(64) CHARACTER SET utf8mb4 NOT NULL DEFAULT '',
  notify_id         CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  sequence          INT UNSIGNED NOT NULL DEFAULT 0,
  proof_source      ENUM('none','answer','query','notice','bill','person') NOT NULL DEFAULT 'none',
  proof_digest      BINARY(32) NULL,
  fence             BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ver               INT UNSIGNED NOT NULL DEFAULT 0,
  created_at        DATETIME(3) NOT NULL,
  expires_at        DATETIME(3) NOT NULL,
  sent_at           DATETIME(3) NULL,
  paid_at           DATETIME(3) NULL,
  failed_at         DATETIME(3) NULL,
  closed_at         DATETIME(3) NULL,
  refunded_at       DATETIME(3) NULL,
  conflict_at       DATETIME(3) NULL,
  PRIMARY KEY (id),
  KEY by_app (app_id, id)
) ENGINE=InnoDB PARTITION BY RANGE COLUMNS (id) (PARTITION p_open VALUES LESS THAN (MAXVALUE));

CREATE TABLE attempt (
  id                CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payment_id        CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  merchant_id       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  app_id            VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  status            ENUM('new','sent','wait_user','succeeded','failed','unknown','closing','closed','duplicate') NOT NULL,
  channel           VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  account_id        VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  method            VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount            BIGINT NOT NULL,
  currency          CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  error_class       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  state             VARBINARY(256) NOT NULL DEFAULT '',
  action_type       VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'none',
  action_data       TEXT CHARACTER SET utf8mb4 NULL,
  channel_trade_no  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  error_code        VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  error_message     VARCHAR(256) CHARACTER SET utf8mb4 NOT NULL DEFAULT '',
  channel_code      VARCHAR(64) CHARACTER SET utf8mb4 NOT NULL DEFAULT '',
  not_found         SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  proof_source      ENUM('none','answer','query','notice','bill','person') NOT NULL DEFAULT 'none',
  proof_digest      BINARY(32) NULL,
  fence             BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ver               INT UNSIGNED NOT NULL DEFAULT 0,
  created_at        DATETIME(3) NOT NULL,
  sent_at           DATETIME(3) NULL,
  unknown_at        DATETIME(3) NULL,
  paid_at           DATETIME(3) NULL,
  failed_at         DATETIME(3) NULL,
  closed_at         DATETIME(3) NULL,
  refunded_at       DATETIME(3) NULL,
  conflict_at       DATETIME(3) NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB PARTITION BY RANGE COLUMNS (id) (PARTITION p_open VALUES LESS THAN (MAXVALUE));

CREATE TABLE notify_task (
  id            CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payment_id    CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  prev_id       CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  merchant_id   VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  app_id        VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  status        ENUM('pending','delivered','dead') NOT NULL,
  type          VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sequence      INT UNSIGNED NOT NULL,
  channel       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  account_id    VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  method        VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount        BIGINT NOT NULL,
  currency      CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  error_class   VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  url           VARCHAR(512) CHARACTER SET utf8mb4 NOT NULL,
  body          MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL,
  tries         SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  last_status   SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  last_error    VARCHAR(256) CHARACTER SET utf8mb4 NOT NULL DEFAULT '',
  ver           INT UNSIGNED NOT NULL DEFAULT 0,
  created_at    DATETIME(3) NOT NULL,
  sent_at       DATETIME(3) NULL,
  delivered_at  DATETIME(3) NULL,
  dead_at       DATETIME(3) NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB PARTITION BY RANGE COLUMNS (id) (PARTITION p_open VALUES LESS THAN (MAXVALUE));

CREATE TABLE notice_in (
  id          CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  channel     VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  account_id  VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  notice_id   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  attempt_id  CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  verdict     ENUM('applied','repeated','ignored','conflict') NOT NULL,
  headers     TEXT CHARACTER SET utf8mb4 NOT NULL,
  body        MEDIUMBLOB NOT NULL,
  created_at  DATETIME(3) NOT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB PARTITION BY RANGE COLUMNS (id) (PARTITION p_open VALUES LESS THAN (MAXVALUE));
