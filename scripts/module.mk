# The nginx module, by nginx's own configure over the root `config`.
# NGX_SRC is a source tree for the nginx that will load it; by default that of
# Debian's nginx-dev, which has headers only and needs nginx's own flags.

NGX_SRC ?= $(shell dpkg -L nginx-dev 2>/dev/null | sed -n 's,/configure$$,,p' | head -n 1)

MODULE_SRCS := $(sort $(wildcard ngx_payhub_module/*.c ngx_payhub_module/*.h ngx_payhub_module/*.map ngx_payhub_module/*.html))
# one link-time unit: steps of a request call small functions of other files
CCOPT_release := -O3 -flto
CCOPT_debug   := -O0
CCOPT_asan    := -O1 -DPH_TESTING=1 $(SAN_asan)
CCOPT_tsan    := -O1

$(B)/$(MODULE): config $(MODULE_SRCS) $(PURE_EDGE_SRCS) $(wildcard libpayhub/*/*.h libpayhub/*/*.def) scripts/pure-sources.mk scripts/build-module
	scripts/build-module "$(NGX_SRC)" "$(B)" "-g $(CCOPT_$(PROFILE))" "$(SAN_$(PROFILE))"
