/*
 * commands.c - the one table of commands: name, operands, options, help,
 * function.  docs/cli.md follows it.
 */
#include "cli/cli.h"

const struct cli_option cli_common_options[] = {
    { "json", NULL, false, "one JSON value on stdout" },
    { "config", "FILE", false, "payhub.conf; else $PAYHUB_CONFIG, else /etc" },
    { "help", NULL, false, "this text" },
    { NULL, NULL, false, NULL },
};

/* clang-format off */
static const struct cli_option none[] = {
    { NULL, NULL, false, NULL },
};

static const struct cli_option schema_options[] = {
    { "dir", "DIR", false, "folder of the NNNN_name.sql files" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option app_add_options[] = {
    { "merchant", "ID", false, "merchant, made when absent" },
    { "name", "NAME", false, "what people call the app" },
    { "alg", "ALG", false, "algorithm of the key, default hmac-sha256" },
    { "public-key", "FILE", false, "PEM of the caller's public key" },
    { "scheme", "SCHEME", true, "payhub-v3 or rfc9421; default what fits" },
    { "not-before", "T", false, "not valid before; default from now on" },
    { "not-after", "T", false, "not valid after; default for ever" },
    { "secret-out", "FILE", false, "also write the secret there, 0600" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option app_set_options[] = {
    { "webhook-form", "FORM", false, "standard or payhub-v3" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option webhook_list_options[] = {
    { "app", "ID", false, "only this app's" },
    { "payment", "ID", false, "only this payment's and its refunds'" },
    { "dead", NULL, false, "only those that nobody tries any more" },
    { "pending", NULL, false, "only those that are still tried" },
    { "from", "TIME", false, "made since then: a time, or 10m 2h 3d; default 7d" },
    { "limit", "N", false, "how many, newest first, 1-1000, default 100" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option webhook_resend_options[] = {
    { "payment", "ID", false, "all of this payment's and its refunds'" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option key_add_options[] = {
    { "app", "ID", false, "whose key it is" },
    { "alg", "ALG", false, "algorithm of the key, default hmac-sha256" },
    { "public-key", "FILE", false, "PEM of the caller's public key" },
    { "scheme", "SCHEME", true, "payhub-v3 or rfc9421; default what fits" },
    { "not-before", "T", false, "not valid before; default from now on" },
    { "not-after", "T", false, "not valid after; default for ever" },
    { "secret-out", "FILE", false, "also write the secret there, 0600" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option key_revoke_options[] = {
    { "app", "ID", false, "whose key it is" },
    { "key", "ID", false, "the key that ends" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option limit_set_options[] = {
    { "key", "K", false, "one key's settings; default everybody's" },
    { "until", "T", false, "when it ends by itself; default never" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option limit_boost_options[] = {
    { "key", "K", false, "one key's settings; default everybody's" },
    { "times", "N", false, "rate and burst times so much" },
    { "for", "TIME", false, "how long: 90s, 30m, 2h, 1d" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option limit_reset_options[] = {
    { "key", "K", false, "one key's settings; default everybody's" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option key_list_options[] = {
    { "app", "ID", false, "only this app's keys" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option channel_add_options[] = {
    { "no-tapes", NULL, false, "without playing FILE.tapes first" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option account_add_options[] = {
    { "name", "NAME", false, "what people call the account" },
    { "set", "KEY=VALUE", true, "a setting; KEY=@FILE reads it from a file" },
    { "secret", "KEY=@FILE", true, "a secret, from a file only" },
    { "weight", "N", false, "share among accounts, 0-1000, default 1" },
    { "app", "ID", false, "only this app may use it; default every app" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option account_set_options[] = {
    { "set", "KEY=VALUE", true, "the same as a KEY=VALUE word" },
    { "secret", "KEY=@FILE", true, "a secret, from a file only" },
    { "unset", "KEY", true, "a value that the account needs no more" },
    { "weight", "N", false, "share among accounts, 0-1000" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option route_explain_options[] = {
    { "body", "FILE", false, "a payment's JSON; - is stdin; default {}" },
    { "route", "NAME", false, "payhub_route of that name; default default" },
    { "app", "ID", false, "as if this app asked" },
    { "merchant", "ID", false, "as if this merchant asked" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option sign_options[] = {
    { "key-id", "ID", false, "else $PAYHUB_KEY_ID" },
    { "secret-file", "FILE", false, "else $PAYHUB_SECRET_FILE" },
    { "body", "FILE", false, "the body's bytes; - is stdin" },
    { "timestamp", "T", false, "unix seconds, for tests" },
    { "nonce", "N", false, "8-64 of [A-Za-z0-9_-], for tests" },
    { "alg", "ALG", false, "the key's algorithm, default hmac-sha256" },
    { "scheme", "S", false, "payhub-v3 (default) or rfc9421" },
    { "private-key", "FILE", false, "PEM, for every --alg but hmac-sha256" },
    { "idempotency-key", "K", false, "sent and signed, rfc9421 only" },
    { "host", "HOST", false, "rfc9421: the host that is signed" },
    { "url", "URL", false, "or the address it is taken from" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option verify_options[] = {
    { "authorization", "VALUE", false, "value of the Authorization header" },
    { "key-id", "ID", false, "the key that it must name" },
    { "secret-file", "FILE", false, "else $PAYHUB_SECRET_FILE" },
    { "body", "FILE", false, "the body's bytes; - is stdin" },
    { "alg", "ALG", false, "the key's algorithm, default hmac-sha256" },
    { "scheme", "S", false, "payhub-v3 (default) or rfc9421" },
    { "public-key", "FILE", false, "PEM, for every --alg but hmac-sha256" },
    { "header", "LINE", true, "rfc9421: 'Name: value', each that is signed" },
    { "host", "HOST", false, "rfc9421: the request's host" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option call_options[] = {
    { "url", "URL", false, "else $PAYHUB_URL, else admin.api_url" },
    { "key-id", "ID", false, "else $PAYHUB_KEY_ID" },
    { "secret-file", "FILE", false, "else $PAYHUB_SECRET_FILE" },
    { "body", "FILE", false, "the body's bytes; - is stdin" },
    { "timeout", "S", false, "seconds, 1-600, default 60" },
    { "alg", "ALG", false, "the key's algorithm, default hmac-sha256" },
    { "scheme", "S", false, "payhub-v3 (default) or rfc9421" },
    { "private-key", "FILE", false, "PEM, for every --alg but hmac-sha256" },
    { "idempotency-key", "K", false, "sent and signed, rfc9421 only" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option counters_options[] = {
    { "from", "TIME", false, "2026-01-02, RFC 3339, unix s, or 10m 2h 3d ago" },
    { "to", "TIME", false, "the same; default now" },
    { "by", "LIST", false, "of time,channel,method,state, or time,state,account" },
    { "grain", "GRAIN", false, "minute or day; default by the range" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option drift_options[] = {
    { "wait", "S", false, "longest wait for the sidecar, 0-600, default 10" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option payment_resolve_options[] = {
    { "to", "STATUS", false, "paid, failed or closed" },
    { "why", "TEXT", false, "what was found out, kept in audit" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option invariants_options[] = {
    { "told", "FILE", false, "what clients were told, a JSON object a line" },
    { NULL, NULL, false, NULL },
};

static const struct cli_option lock_options[] = {
    { "layout", "L", false, "string (default) or redisson" },
    { "wait", "MS", false, "longest wait for the lock; default for ever" },
    { NULL, NULL, false, NULL },
};

const struct cli_command cli_commands[] = {
    { { "schema", "up", NULL }, "", 0, 0, schema_options,
      "apply migrations, make monthly partitions ahead",
      "  payhub schema up\n"
      "  payhub schema up --dir /usr/share/payhub/schema\n"
      "Each statement is sent by itself as store.owner and noted, so a cut run\n"
      "goes on where it stood.  An applied file that has changed is refused.\n",
      cli_schema_up },
    { { "schema", "status", NULL }, "", 0, 0, schema_options,
      "which migrations and partitions there are", NULL, cli_schema_status },
    { { "app", "add", NULL }, "", 0, 0, app_add_options,
      "a new app with its first key",
      "  payhub app add --merchant acme --name shop\n"
      "  payhub app add --merchant acme --name shop --secret-out shop.secret\n"
      "The secret is shown once.  The HMAC key is the ASCII bytes of the text.\n",
      cli_app_add },
    { { "app", "set", NULL }, "ID", 1, 1, app_set_options,
      "how an app's webhooks are signed from now on",
      "  payhub app set app_1 --webhook-form payhub-v3\n", cli_app_set },
    { { "key", "add", NULL }, "", 0, 0, key_add_options,
      "one more key of an app: two live keys rotate",
      "  payhub key add --app app_1 --secret-out new.secret\n"
      "  payhub key add --app app_1 --alg ed25519 --public-key app.pem\n"
      "Every edge takes it within a second.\n",
      cli_key_add },
    { { "key", "list", NULL }, "", 0, 0, key_list_options,
      "the keys of apps, never their secrets", NULL, cli_key_list },
    { { "key", "revoke", NULL }, "", 0, 0, key_revoke_options,
      "a key ends, at every edge within a second", NULL, cli_key_revoke },
    { { "limit", "list", NULL }, "", 0, 0, none,
      "limits: base, what holds now, who changed it, until when", NULL,
      cli_limit_list },
    { { "limit", "set", NULL }, "NAME [rate=R] [burst=B]", 2, 3,
      limit_set_options, "other settings of a limit, live",
      "  payhub limit set app rate=200/s burst=400\n"
      "  payhub limit set app --key app_1 rate=5/s --until 1893456000\n",
      cli_limit_set },
    { { "limit", "boost", NULL }, "NAME", 1, 1, limit_boost_options,
      "more for a while",
      "  payhub limit boost app --times 3 --for 30m\n", cli_limit_boost },
    { { "limit", "reset", NULL }, "NAME", 1, 1, limit_reset_options,
      "what nginx.conf says holds again", NULL, cli_limit_reset },
    { { "route", "explain", NULL }, "", 0, 0, route_explain_options,
      "which rule and numbers would choose which account",
      "  payhub route explain --body order.json --app app_1\n"
      "The edge answers; no turn is counted.\n",
      cli_route_explain },
    { { "channel", "add", NULL }, "FILE", 1, 1, channel_add_options,
      "a channel that a file declares, live within a second",
      "  payhub channel add amberbank.json\n"
      "The tapes of FILE.tapes are played first.  The same name again takes the\n"
      "place of the file before; its accounts stay.\n",
      cli_channel_add },
    { { "channel", "test", NULL }, "FILE", 1, 1, none,
      "a channel's file against its recorded exchanges",
      "  payhub channel test amberbank.json\n"
      "Plays FILE.tapes/*.json.  Exit 2: the file does not compile, or there\n"
      "are no tapes; 3: a tape plays otherwise, each difference is named.\n",
      cli_channel_test },
    { { "channel", "list", NULL }, "", 0, 0, none,
      "the channels: built in, loaded, declared; how many accounts", NULL,
      cli_channel_list },
    { { "channel", "remove", NULL }, "NAME", 1, 1, none,
      "a declared channel is withdrawn; it may have no account", NULL,
      cli_channel_remove },
    { { "channel", "schema", NULL }, "", 0, 0, none,
      "the JSON schema of such files", NULL, cli_channel_schema },
    { { "channel", "account", "add" }, "CHANNEL", 1, 1, account_add_options,
      "a new account at a channel",
      "  payhub channel account add sandbox --name try \\\n"
      "      --set base_url=https://127.0.0.1:8443 --secret key=@sandbox.key\n",
      cli_account_add },
    { { "channel", "account", "list" }, "", 0, 0, none,
      "the accounts at channels", NULL, cli_account_list },
    { { "channel", "account", "set" }, "ID [KEY=VALUE ...]", 1, 32,
      account_set_options, "change settings of an account", NULL,
      cli_account_set },
    { { "channel", "account", "drain" }, "ID", 1, 1, none,
      "no new payments; notices, queries, refunds go on", NULL,
      cli_account_drain },
    { { "channel", "account", "resume" }, "ID", 1, 1, none,
      "new payments again", NULL, cli_account_resume },
    { { "seal", "status", NULL }, "", 0, 0, none,
      "which key of [seal] the stored secrets are sealed by",
      "Every secret is opened.  Exit 3: some open by no key, and are named.\n",
      cli_seal_status },
    { { "seal", "rotate", NULL }, "", 0, 0, none,
      "seals every stored secret anew by seal.key_id",
      "All workers must know both keys before.  A run that was cut goes on\n"
      "with the next one.  Exit 0: the old key is used no more.\n",
      cli_seal_rotate },
    { { "sign", NULL, NULL }, "METHOD TARGET", 2, 2, sign_options,
      "header lines of a signed request, and what was signed",
      "  payhub sign POST /v1/payments --key-id K --secret-file F --body B\n",
      cli_sign },
    { { "verify", NULL, NULL }, "METHOD TARGET", 2, 2, verify_options,
      "are these headers a right signature of these bytes",
      "  payhub verify POST /v1/payments --authorization 'PAYHUB-V3 ...' \\\n"
      "      --secret-file F --body B\n"
      "Exit 3: it is not, and what was signed is shown.  The clock is not\n"
      "looked at.\n",
      cli_verify },
    { { "call", NULL, NULL }, "METHOD TARGET", 2, 2, call_options,
      "a signed request: answer on stdout, status on stderr",
      "  payhub call GET '/v1/payments?order_no=1'\n"
      "  payhub call POST /v1/payments --body order.json\n"
      "The request is sent once and never again by itself.\n",
      cli_call },
    { { "counters", NULL, NULL }, "", 0, 0, counters_options,
      "what Redis counts",
      "  payhub counters\n"
      "  payhub counters --from 10m --by time,state\n",
      cli_counters },
    { { "drift", NULL, NULL }, "", 0, 0, drift_options,
      "are Redis's counters equal to SQL's",
      "Exit 0 all equal, 3 each difference is named, 4 not caught up.\n",
      cli_drift },
    { { "invariants", NULL, NULL }, "", 0, 0, invariants_options,
      "nothing lost, nothing doubled: SQL, Redis, the sandbox's books",
      "Exit 0 all hold, 3 each breach is named.\n", cli_invariants },
    { { "lock", NULL, NULL }, "KEY TTL_MS -- CMD [ARG ...]", 2, 2, lock_options,
      "a command under a lock in Redis, killed when the lock is lost",
      "  payhub lock nightly 10000 -- ./settle-files\n"
      "  payhub lock nightly 10000 --wait 0 -- ./settle-files\n"
      "Redis by $REDIS_URL, else $REDIS_HOST and $REDIS_PORT, else\n"
      "$PAYHUB_REDIS_SOCKET, else payhub.conf.  Exit: the command's; 76 the\n"
      "lock was lost; 4 no lock, or no Redis, and the command was not run.\n",
      cli_lock },
    { { "webhook", "list", NULL }, "", 0, 0, webhook_list_options,
      "webhooks, newest first: state, tries, the last answer",
      "  payhub webhook list --dead\n"
      "  payhub webhook list --payment P...\n",
      cli_webhook_list },
    { { "webhook", "resend", NULL }, "[ID]", 0, 1, webhook_resend_options,
      "a dead webhook is tried again from now on, a pending one at once",
      "  payhub webhook resend N...\n"
      "  payhub webhook resend --payment P...\n",
      cli_webhook_resend },
    { { "payment", "resolve", NULL }, "ID", 1, 1, payment_resolve_options,
      "ends a conflict by a person's decision; only our row moves",
      "  payhub payment resolve P... --to paid --why 'bank says so, ticket 7'\n"
      "Exit 5 when the payment is in no conflict.\n",
      cli_payment_resolve },
    { { "frame", "decode", NULL }, "[FILE|-]", 0, 1, none,
      "a frame's head and fields as text", NULL, cli_frame_decode },
    { { NULL, NULL, NULL }, NULL, 0, 0, NULL, NULL, NULL, NULL },
};
/* clang-format on */
