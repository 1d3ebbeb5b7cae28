-- 0003: refunds, answers of idempotency keys, work by queue, forms of webhooks.
-- work.payment_id becomes work.id: workers of before cannot run beside it.

CREATE TABLE refund_no (
  app_id        VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  refund_no     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  refund_id     CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  request_hash  BINARY(32) NOT NULL,   -- SHA-256 of payment id, LF, raw body
  ver           INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (app_id, refund_no)
) ENGINE=InnoDB PARTITION BY KEY (app_id, refund_no) PARTITIONS 16;

CREATE TABLE refund (
  id                CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payment_id        CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  attempt_id        CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  prev_id           CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  merchant_id       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  app_id            VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  refund_no         VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  kind              ENUM('merchant','duplicate','late','foreign') NOT NULL,
  status            ENUM('created','processing','succeeded','failed','unknown') NOT NULL,
  channel           VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  account_id        VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  method            VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount            BIGINT NOT NULL,
  currency          CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  error_class       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  reason            VARCHAR(256) CHARACTER SET utf8mb4 NULL,
  state             VARBINARY(256) NOT NULL DEFAULT '',
  channel_refund_no VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  error_code        VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  error_message     VARCHAR(256) CHARACTER SET utf8mb4 NOT NULL DEFAULT '',
  channel_code      VARCHAR(64) CHARACTER SET utf8mb4 NOT NULL DEFAULT '',
  not_found         SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  notify_id         CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  proof_source      ENUM('none','answer','query','notice','bill','person') NOT NULL DEFAULT 'none',
  proof_digest      BINARY(32) NULL,
  fence             BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ver               INT UNSIGNED NOT NULL DEFAULT 0,
  created_at        DATETIME(3) NOT NULL,
  sent_at           DATETIME(3) NULL,
  unknown_at        DATETIME(3) NULL,
  failed_at         DATETIME(3) NULL,
  refunded_at       DATETIME(3) NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB PARTITION BY RANGE COLUMNS (id) (PARTITION p_open VALUES LESS THAN (MAXVALUE));

-- Answers of signed Idempotency-Keys, 24 h; bounded: deleted by age in bulk.
CREATE TABLE idem (
  app_id        VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  key_hash      BINARY(32) NOT NULL,   -- SHA-256 of method, LF, path, LF, key
  request_hash  BINARY(32) NOT NULL,   -- SHA-256 of the raw body
  status        SMALLINT UNSIGNED NOT NULL,
  body          MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL,
  payment_id    CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at    DATETIME(3) NOT NULL,
  ver           INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (app_id, key_hash),
  KEY by_age (created_at)
) ENGINE=InnoDB;

-- A row is a payment (P), a refund (R) or a webhook whose first delivery did
-- not succeed (N); `queue` keeps the webhooks out of the way of the others.
ALTER TABLE work RENAME COLUMN payment_id TO id;
ALTER TABLE work ADD COLUMN queue ENUM('look','hook') NOT NULL DEFAULT 'look' AFTER id;
ALTER TABLE work DROP KEY by_due;
ALTER TABLE work ADD KEY by_due (queue, due_at);
ALTER TABLE payment ADD COLUMN refund_id CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' AFTER sequence;
ALTER TABLE notify_task ADD COLUMN refund_id CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' AFTER payment_id;
ALTER TABLE notify_task ADD COLUMN form ENUM('standard','payhub-v3') NOT NULL DEFAULT 'standard' AFTER url;
ALTER TABLE app ADD COLUMN webhook_form ENUM('standard','payhub-v3') NOT NULL DEFAULT 'standard' AFTER webhook_secret;
