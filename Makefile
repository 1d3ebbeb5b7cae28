# payhub: GNU Make for everything but nginx's own configure, which builds the
# module from the root `config`.  Non-recursive, out of tree.
#
#   make [PROFILE=release|debug|asan|tsan]   daemons, CLI and the nginx module
#   make unit | fuzz-replay | check | format | clean | compile_commands.json

PROFILE ?= release
B       := build/$(PROFILE)
ifeq ($(origin CC),default)
CC      := gcc
endif
# one short line a file; make V=1 shows the commands
ifeq ($(V),)
say = @printf '  %-4s %s\n' '$(1)' '$@';
endif

include scripts/pure-sources.mk

PKGS     := jansson libuv libcurl hiredis libmicrohttpd libcrypto inih mysqlclient expat
PKGFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)

WARN := -std=gnu11 -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow \
        -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wpointer-arith \
        -Wundef -Wwrite-strings -Wvla -Wformat=2 -Wswitch-enum -Werror
BASE := -I. -I$(B)/gen -g -fno-common -fPIC -fstack-protector-strong \
        -D_GNU_SOURCE $(patsubst -I%,-isystem %,$(PKGFLAGS))
LINK := -pie -Wl,-z,relro,-z,now

SAN_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
# fences belong to shared memory of processes; no thread of ours meets them
SAN_tsan := -fsanitize=thread -Wno-tsan
OPT_release := -O2 -D_FORTIFY_SOURCE=2
OPT_debug   := -O0
OPT_asan    := -O1 -DPH_TESTING=1 $(SAN_asan)
OPT_tsan    := -O1 -DPH_TESTING=1 $(SAN_tsan)
CFLAGS_ALL  := $(WARN) $(BASE) $(OPT_$(PROFILE)) -MMD -MP $(CFLAGS)
LDFLAGS_ALL := $(LINK) $(SAN_$(PROFILE)) $(LDFLAGS)

# The rooms: every .c in a room belongs to it.
IO_SRCS       := $(sort $(wildcard libpayhub/io/*.c))
CHANNEL_SRCS  := $(sort $(wildcard channels/*.c channels/*/*.c))
WORKER_SRCS   := $(sort $(wildcard worker/*.c))
SIDECAR_SRCS  := $(sort $(wildcard sidecar/*.c))
SANDBOX_SRCS  := $(sort $(wildcard sandbox/*.c))
CLI_SRCS      := $(sort $(wildcard cli/*.c))

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

PURE_OBJS := $(call obj,$(PURE_SRCS))
IO_OBJS   := $(call obj,$(IO_SRCS)) $(B)/obj/gen/redis_library.o

LIBS_PURE    := -linih -lcrypto
LIBS_DB      := -lmysqlclient -lhiredis
LIBS_WORKER  := -luv -lcurl -lssl -ljansson -lexpat -lz $(LIBS_DB) $(LIBS_PURE) -lpthread
LIBS_SIDECAR := $(LIBS_DB) -ljansson -lz -lzstd $(LIBS_PURE) -lpthread
LIBS_SANDBOX := -lmicrohttpd -lcurl -ljansson $(LIBS_PURE) -lpthread
LIBS_CLI     := -lcurl -ljansson -lexpat -lz $(LIBS_DB) $(LIBS_PURE)

PROGRAMS := payhub payhub-worker payhub-sidecar payhub-sandbox
MODULE   := ngx_http_payhub_module.so

.PHONY: all programs module unit fuzz fuzz-replay check format clean
all: programs module
programs: $(addprefix $(B)/,$(PROGRAMS))
module: $(B)/$(MODULE)

$(B)/payhub: $(call obj,$(CLI_SRCS) $(CHANNEL_SRCS)) $(IO_OBJS) $(B)/libpayhub.a
	$(call say,LD)$(CC) -o $@ $^ $(LDFLAGS_ALL) $(LIBS_CLI)

$(B)/payhub-worker: $(call obj,$(WORKER_SRCS) $(CHANNEL_SRCS)) $(IO_OBJS) $(B)/libpayhub.a
	$(call say,LD)$(CC) -o $@ $^ $(LDFLAGS_ALL) $(LIBS_WORKER)

$(B)/payhub-sidecar: $(call obj,$(SIDECAR_SRCS)) $(IO_OBJS) $(B)/libpayhub.a
	$(call say,LD)$(CC) -o $@ $^ $(LDFLAGS_ALL) $(LIBS_SIDECAR)

# The sandbox touches neither MySQL nor Redis: of io it links only daemon and log.
$(B)/payhub-sandbox: $(call obj,$(SANDBOX_SRCS) libpayhub/io/daemon.c libpayhub/io/log.c) $(B)/libpayhub.a
	$(call say,LD)$(CC) -o $@ $^ $(LDFLAGS_ALL) $(LIBS_SANDBOX)

$(B)/libpayhub.a: $(PURE_OBJS)
	$(call say,AR)rm -f $@ && ar rcs $@ $^

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -c -o $@ $<

# The Redis function library as a C text.
$(B)/gen/redis_library.c: schema/redis/payhub.lua scripts/embed-text
	@mkdir -p $(@D)
	scripts/embed-text ph_redis_library $< > $@.tmp && mv $@.tmp $@
$(B)/obj/gen/redis_library.o: $(B)/gen/redis_library.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -c -o $@ $<

include scripts/module.mk
include scripts/tests.mk

clean:
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
