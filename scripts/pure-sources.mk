# The pure sources of libpayhub, by tier.  Read by Makefile and by nginx's
# `config`, so keep it to plain "NAME := files" lines.  The nginx module links
# the edge set only: no inih, no daemon configuration.
PURE_EDGE_SRCS := \
  libpayhub/base/arena.c libpayhub/base/buf.c libpayhub/base/crc32c.c \
  libpayhub/base/id.c libpayhub/base/money.c libpayhub/base/siphash.c \
  libpayhub/base/str.c \
  libpayhub/wire/auth_9421.c libpayhub/wire/auth_v3.c libpayhub/wire/b64.c \
  libpayhub/wire/content_digest.c libpayhub/wire/digest.c \
  libpayhub/wire/field_scan.c \
  libpayhub/wire/frame.c libpayhub/wire/seal.c libpayhub/wire/sfield.c \
  libpayhub/wire/sha256.c libpayhub/wire/verify.c \
  libpayhub/domain/bucket.c libpayhub/domain/error.c libpayhub/domain/health.c \
  libpayhub/domain/key_table.c libpayhub/domain/limit_cell.c \
  libpayhub/domain/limit_rules.c libpayhub/domain/limit_table.c \
  libpayhub/domain/limit_write.c \
  libpayhub/domain/nonce_table.c libpayhub/domain/route.c \
  libpayhub/domain/route_rule.c libpayhub/domain/states.c

PURE_SRCS := $(PURE_EDGE_SRCS) \
  libpayhub/base/conf.c libpayhub/base/conf_rules.c libpayhub/base/crc16.c \
  libpayhub/base/civil.c libpayhub/base/month.c \
  libpayhub/base/redis_place.c libpayhub/wire/ed25519.c \
  libpayhub/wire/cert.c libpayhub/wire/cipher.c libpayhub/wire/digest_old.c \
  libpayhub/wire/form.c libpayhub/wire/json_member.c libpayhub/wire/pfx.c \
  libpayhub/wire/rsa.c libpayhub/wire/webhook.c \
  libpayhub/domain/base_url.c libpayhub/domain/counter.c
