-- 0002: what the edges are told.  Keys are found by the time of their last
-- change; whoever changes an app so that its keys mean something else touches
-- changed_at of these keys as well.

ALTER TABLE app_key
  ADD COLUMN changed_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3) AFTER revoked_at,
  ADD KEY by_changed (changed_at, id);
