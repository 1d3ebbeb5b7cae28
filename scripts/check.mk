# What must hold of every text in the tree, one target a step, one line a step.
#
#   make check                 all of it; also the checkers' own tests
#   make check-format | check-style | check-layers | check-headers | check-text
#      | check-cppcheck | check-tidy | check-scripts | check-tools
#   make format                clang-format over all C outside the module
#   make compile_commands.json for editors

CHECK_DIRS  := $(wildcard libpayhub channels worker sidecar sandbox cli t bench scripts)
CHECK_C     := $(shell find $(CHECK_DIRS) -name '*.c' | sort)
CHECK_H     := $(shell find $(CHECK_DIRS) -name '*.h' | sort)
CHECK_FLAGS := -std=gnu11 -I. -I$(B)/gen -D_GNU_SOURCE \
               $(patsubst -I%,-isystem %,$(PKGFLAGS))
CLANG_FORMAT ?= clang-format-14
CPPCHECK_CACHE ?= build/cppcheck

CHECKS := check-format check-style check-layers check-headers check-text \
          check-cppcheck check-scripts check-tools check-faults check-tidy
.PHONY: check $(CHECKS) format compile_commands.json

# Every step runs, so that one run shows all findings.
check: module
	@failed=; for step in $(CHECKS); do \
	    $(MAKE) --no-print-directory -s $$step || failed="$$failed $$step"; \
	done; \
	if [ -n "$$failed" ]; then echo "check: found findings in:$$failed; each line above says what to do" >&2; exit 1; fi; \
	echo "check: ok"

check-format:
	@scripts/check-format $(CLANG_FORMAT) $(CHECK_C) $(CHECK_H)

check-style:
	@scripts/check-nginx-style $(wildcard ngx_payhub_module/*.[ch])

check-layers: $(B)/$(MODULE)
	@scripts/check-layers $(B)/$(MODULE)

check-headers: $(B)/gen/redis_library.c $(B)/$(MODULE)
	@NGX_SRC="$(NGX_SRC)" CC="$(CC)" scripts/check-headers $(B) $(WARN) $(CHECK_FLAGS)

check-text:
	@scripts/check-text

# readdirCalled: glibc's readdir is safe for one stream a thread, and readdir_r
# is deprecated.  legacyUninitvar repeats uninitvar without its flow analysis,
# and ctuuninitvar takes an argument that the callee fills for one it reads.
check-cppcheck:
	@mkdir -p $(CPPCHECK_CACHE)
	@cppcheck -q -j 2 --cppcheck-build-dir=$(CPPCHECK_CACHE) --error-exitcode=1 \
	    --enable=warning,portability,performance --inline-suppr --std=c11 \
	    --library=posix --suppress=missingIncludeSystem \
	    --suppress=readdirCalled --suppress=legacyUninitvar --suppress=ctuuninitvar -D_GNU_SOURCE -I. \
	    --include=scripts/cppcheck.h $(CHECK_C) && echo "check-cppcheck: ok ($(words $(CHECK_C)) files)" \
	    || { echo "check-cppcheck: found the above; fix it, or suppress it inline with a reason" >&2; exit 1; }

check-tidy: $(B)/gen/redis_library.c
	@scripts/check-tidy build/tidy $(CHECK_C) -- $(CHECK_FLAGS)

check-scripts:
	@scripts/check-scripts

check-faults:
	@t/chaos/faults/run --check && echo "check-faults: ok"

check-tools:
	@t/tools/run

format:
	$(CLANG_FORMAT) -i $(CHECK_C) $(CHECK_H)

compile_commands.json:
	@$(MAKE) -Bnk V=1 --no-print-directory programs $(UNIT_TESTS) | scripts/compile-commands >$@.tmp
	@mv $@.tmp $@ && echo "$@: $$(grep -c '"file"' $@) files"
