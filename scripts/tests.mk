# Unit tests, fuzz targets and generated documents.
#
#   make unit           every t/unit/test_*.c, in order, stops at the first fault
#   make fuzz-replay    every corpus through its target, without libFuzzer
#   make fuzz           every target for FUZZ_SECONDS by libFuzzer (clang)
#   make docs           docs/configuration.md, errors.md, states.md and the schema
#                       of channel files from tables

UNIT_SRCS  := $(sort $(wildcard t/unit/test_*.c))
UNIT_TESTS := $(patsubst t/unit/%.c,$(B)/t/%,$(UNIT_SRCS))
UNIT_HELP  := $(call obj,t/unit/support.c scripts/docs/docs.c \
              libpayhub/io/daemon.c libpayhub/io/log.c)

FUZZ_NAMES   := $(patsubst t/fuzz/fuzz_%.c,%,$(sort $(wildcard t/fuzz/fuzz_*.c)))
FUZZ_REPLAYS := $(FUZZ_NAMES:%=$(B)/t/replay_%)
FUZZ_RUNS    := $(FUZZ_NAMES:%=fuzz-run-%)
FUZZ_SECONDS ?= 10
FUZZ_CC      ?= clang-14
FUZZ_SAN     := address,undefined
FUZZ_FLAGS   := $(filter-out -Werror,$(WARN)) -I. -g -O1 -D_GNU_SOURCE -MMD -MP \
                -fsanitize=fuzzer-no-link,$(FUZZ_SAN) \
                -fno-sanitize-recover=undefined -fno-omit-frame-pointer
fuzz_obj      = $(patsubst %.c,build/fuzz/obj/%.o,$(1))

.PHONY: docs $(FUZZ_RUNS)
.SECONDARY: $(call obj,$(UNIT_SRCS) $(wildcard t/fuzz/*.c)) $(UNIT_HELP)
.PRECIOUS: build/fuzz/obj/%.o

$(B)/t/test_%: $(B)/obj/t/unit/test_%.o $(UNIT_HELP) $(B)/libpayhub.a
	@mkdir -p $(@D)
	@echo "  LD   $@"
	@$(CC) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDFLAGS_ALL) -lcmocka $(LIBS_PURE) -lpthread

unit: $(UNIT_TESTS)
	@t/data/frames/make.py --check
	@for test in $(UNIT_TESTS); do echo "== $$test"; $$test || exit 1; done

$(B)/t/replay_%: $(B)/obj/t/fuzz/fuzz_%.o $(B)/obj/t/fuzz/replay.o $(B)/libpayhub.a
	@mkdir -p $(@D)
	@echo "  LD   $@"
	@$(CC) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDFLAGS_ALL) $(LIBS_PURE)

fuzz-replay: $(FUZZ_REPLAYS)
	@for name in $(FUZZ_NAMES); do \
	    $(B)/t/replay_$$name t/fuzz/corpus/$$name || exit 1; done

build/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	@$(FUZZ_CC) $(FUZZ_FLAGS) -c -o $@ $<

build/fuzz/fuzz_%: build/fuzz/obj/t/fuzz/fuzz_%.o $(call fuzz_obj,$(PURE_SRCS))
	@echo "  FUZZ $@"
	@$(FUZZ_CC) -fsanitize=fuzzer,$(FUZZ_SAN) -o $@ $^ $(LIBS_PURE)

-include $(shell find build/fuzz/obj -name '*.d' 2>/dev/null)

# by itself each, so that -j runs some at a time
$(FUZZ_RUNS): fuzz-run-%: build/fuzz/fuzz_%
	@scripts/fuzz $* $(FUZZ_SECONDS)

fuzz: $(FUZZ_RUNS)

$(B)/t/make-docs: $(call obj,scripts/docs/main.c scripts/docs/docs.c) $(B)/libpayhub.a
	@mkdir -p $(@D)
	@echo "  LD   $@"
	@$(CC) -o $@ $^ $(LDFLAGS_ALL) $(LIBS_PURE)

docs: $(B)/t/make-docs $(B)/payhub
	$(B)/t/make-docs docs
	$(B)/payhub channel schema >docs/schema/channel.schema.json

$(B)/bench/hmac: $(call obj,bench/hmac.c) $(B)/libpayhub.a
	@mkdir -p $(@D)
	@echo "  LD   $@"
	@$(CC) -o $@ $^ $(LDFLAGS_ALL) $(LIBS_PURE)

$(B)/bench/signatures: $(call obj,bench/signatures.c) $(B)/libpayhub.a
	@mkdir -p $(@D)
	@echo "  LD   $@"
	@$(CC) -o $@ $^ $(LDFLAGS_ALL) $(LIBS_PURE)

$(B)/bench/signing: $(call obj,bench/signing.c) $(B)/libpayhub.a
	@mkdir -p $(@D)
	@echo "  LD   $@"
	@$(CC) -o $@ $^ $(LDFLAGS_ALL) -luv $(LIBS_PURE) -lpthread

$(B)/bench/route: $(call obj,bench/route.c) $(B)/libpayhub.a
	@mkdir -p $(@D)
	@echo "  LD   $@"
	@$(CC) -o $@ $^ $(LDFLAGS_ALL) $(LIBS_PURE)
$(B)/bench/bucket: $(call obj,bench/bucket.c) $(B)/libpayhub.a
	@mkdir -p $(@D)
	@echo "  LD   $@"
	@$(CC) -o $@ $^ $(LDFLAGS_ALL) $(LIBS_PURE) -lpthread

$(B)/bench/store: $(call obj,bench/store.c $(addprefix worker/,batch.c \
        batch_read.c batch_run.c batch_sql.c batch_write.c crash.c db.c row.c \
        sql_text.c store.c store_link.c time_text.c)) $(IO_OBJS) $(B)/libpayhub.a
	@mkdir -p $(@D)
	@echo "  LD   $@"
	@$(CC) -o $@ $^ $(LDFLAGS_ALL) -luv $(LIBS_DB) $(LIBS_PURE) -lpthread

# Traces of the buckets, for t/differential/bucket.test.
$(B)/t/bucket-traces: $(call obj,t/differential/driver.c) $(B)/libpayhub.a
	@mkdir -p $(@D)
	@echo "  LD   $@"
	@$(CC) -o $@ $^ $(LDFLAGS_ALL) $(LIBS_PURE)

# What scripts/bench.d/ runs against servers.
$(B)/bench/http/load: $(call obj,bench/http/main.c bench/http/load.c \
        bench/http/request.c) $(B)/libpayhub.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(LDFLAGS_ALL) $(LIBS_PURE) -lm
$(B)/bench/http/keys: $(call obj,bench/http/keys.c) $(B)/libpayhub.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(LDFLAGS_ALL) $(LIBS_PURE)
$(B)/bench/http/responder: $(call obj,bench/http/responder.c) $(B)/libpayhub.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(LDFLAGS_ALL) $(LIBS_PURE)

# Tests of rooms beside libpayhub name the objects that they need.
$(B)/t/test_address: $(call obj,worker/address.c)
$(B)/t/test_worker_ask: $(call obj,$(addprefix worker/,ask.c judge.c judge_text.c row.c schedule.c))
$(B)/t/test_worker_op: $(call obj,worker/op.c worker/health.c)
$(B)/t/test_worker_wire: $(call obj,worker/wire_text.c channels/pick.c \
        channels/channel.c)
$(B)/t/test_worker_wire: LIBS_PURE += -ljansson
$(B)/t/test_worker_offer: $(call obj,worker/offer.c)
$(B)/t/test_worker_cut: $(call obj,worker/cut.c)
$(B)/t/test_worker_batch_sql: $(call obj,$(addprefix worker/,batch_sql.c \
        sql_text.c row.c time_text.c))
$(B)/t/test_worker_judge $(B)/t/test_worker_judge_ends: \
        $(call obj,worker/judge.c worker/judge_text.c worker/schedule.c)
$(B)/t/test_worker_hook: $(call obj,worker/hook_rule.c worker/hook_endpoint.c)
$(B)/t/test_worker_hook: LIBS_PURE += -lcurl
$(B)/t/test_worker_refund: $(call obj,$(addprefix worker/,address.c \
        card_number.c judge.c judge_text.c payment_method.c payment_request.c payment_view.c \
        refund_judge.c refund_request.c refund_view.c request_body.c schedule.c \
        time_text.c url_check.c view.c))
$(B)/t/test_worker_refund: LIBS_PURE += -ljansson
$(B)/t/test_worker_refund_foreign: $(call obj,$(addprefix worker/,judge.c judge_text.c \
        refund_judge.c schedule.c))
$(B)/t/test_channel_alipay_rows: $(call obj,$(addprefix worker/,judge.c judge_text.c \
        refund_auto.c refund_judge.c schedule.c))
$(B)/t/test_worker_schedule: $(call obj,worker/schedule.c)
$(B)/t/test_worker_refresh: $(call obj,worker/refresh_ids.c)
$(B)/t/test_worker_share: $(call obj,worker/share.c)
$(B)/t/test_worker_failover: $(call obj,worker/failover.c worker/refund_auto.c)
$(B)/t/test_worker_texts: $(call obj,$(addprefix worker/,address.c \
        card_number.c payment_method.c payment_request.c request_body.c payment_view.c view.c time_text.c url_check.c))
$(B)/t/test_worker_texts: LIBS_PURE += -ljansson
$(B)/t/test_verify: $(call obj,cli/signer.c)
$(B)/t/test_cli_args: $(call obj,cli/args.c)
$(B)/t/test_cli_texts: $(call obj,cli/sql_split.c cli/gtid.c cli/when.c)
$(B)/t/test_cli_books: $(call obj,cli/books_cut.c cli/spool.c)
$(B)/t/test_html: $(call obj,channels/html.c)
$(B)/t/test_reversal: $(call obj,channels/reversal.c)
CHANNEL_TESTS := $(filter $(addprefix $(B)/t/test_,channel_% vectors_% pick% xml declared%),$(UNIT_TESTS))
$(CHANNEL_TESTS): $(call obj,$(CHANNEL_SRCS))
$(CHANNEL_TESTS): LIBS_PURE += -ljansson -lexpat -lz
$(B)/t/test_declared_files: $(call obj,cli/tape.c)

# The call engine behind a line protocol, for t/component/call/call.test.
$(B)/t/call-driver: $(call obj,t/component/call/driver.c worker/address.c \
        $(wildcard worker/call*.c) libpayhub/io/daemon.c libpayhub/io/log.c) \
        $(B)/libpayhub.a
	@mkdir -p $(@D)
	@echo "  LD   $@"
	@$(CC) -o $@ $^ $(LDFLAGS_ALL) -luv -lcurl -lssl $(LIBS_PURE) -lpthread

# The batch engine alone, for t/component/worker/71-batch.test.
$(B)/t/batch-driver: $(call obj,$(addprefix t/component/worker/,\
        batch_driver.c batch_refunds.c) \
        $(addprefix worker/,batch.c batch_read.c batch_run.c batch_sql.c \
        batch_write.c crash.c db.c row.c sql_text.c store_link.c time_text.c)) \
        $(IO_OBJS) $(B)/libpayhub.a
	@mkdir -p $(@D)
	@echo "  LD   $@"
	@$(CC) -o $@ $^ $(LDFLAGS_ALL) $(LIBS_DB) $(LIBS_PURE) -lpthread

# Judges what t/differential/signatures/generate.mjs makes.
$(B)/t/signatures-driver: $(call obj,t/differential/signatures/driver.c) \
        $(B)/libpayhub.a
	@mkdir -p $(@D)
	@echo "  LD   $@"
	@$(CC) -o $@ $^ $(LDFLAGS_ALL) $(LIBS_PURE)

# The sidecar's decoder and sums: no socket, no thread, no client library.
SIDECAR_PURE_SRCS := $(addprefix sidecar/,count.c decoder.c event.c out.c \
        payload.c position.c print.c rows.c sums.c table.c unpack.c value.c when.c words.c)
SIDECAR_UNITS := $(addprefix $(B)/t/,test_sidecar test_sidecar_payload \
        replay_binlog replay_binlog_event replay_binlog_payload \
        replay_binlog_rows)
SIDECAR_FUZZ := $(addprefix build/fuzz/fuzz_,binlog binlog_event \
        binlog_payload binlog_rows)
$(SIDECAR_UNITS): $(call obj,$(SIDECAR_PURE_SRCS))
$(SIDECAR_UNITS) $(SIDECAR_FUZZ): LIBS_PURE += -lz -lzstd
$(SIDECAR_FUZZ): $(call fuzz_obj,$(SIDECAR_PURE_SRCS))

# The worker's cutter of frames.
$(B)/t/replay_cut: $(call obj,worker/cut.c)
build/fuzz/fuzz_cut: $(call fuzz_obj,worker/cut.c)

# The query of a list, with the words that it knows.
LIST_QUERY_SRCS := $(addprefix worker/,list_query.c payment_method.c time_text.c)
$(B)/t/test_worker_list $(B)/t/replay_list_query: $(call obj,$(LIST_QUERY_SRCS))
build/fuzz/fuzz_list_query: $(call fuzz_obj,$(LIST_QUERY_SRCS))

# The judge of the field scanner, and of a member's place, is a parser.
$(B)/t/replay_scan build/fuzz/fuzz_scan: LIBS_PURE += -ljansson
$(B)/t/replay_json_member build/fuzz/fuzz_json_member: LIBS_PURE += -ljansson

# What channels are told.
FUZZ_CHANNEL  := alipay cert declared declared_file paypal stripe unionpay \
                 wechatpay xml
CHANNEL_FUZZ  := $(FUZZ_CHANNEL:%=build/fuzz/fuzz_%)
$(FUZZ_CHANNEL:%=$(B)/t/replay_%): $(call obj,$(CHANNEL_SRCS))
$(FUZZ_CHANNEL:%=$(B)/t/replay_%) $(CHANNEL_FUZZ): LIBS_PURE += -ljansson -lexpat -lz
$(CHANNEL_FUZZ): $(call fuzz_obj,$(CHANNEL_SRCS))

-include scripts/check.mk
