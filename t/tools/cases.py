"""Planted violations, and their good neighbours, for the checkers.

A case: (checker, path, text, what the finding must say, or None for clean).
"""

FUNCTION = "static int\nname(void)\n{\n%s    return 0;\n}\n"


def body(line):
    return FUNCTION % f"    {line}\n"


TEXT = [
    # banned calls, and names that only look like them
    *[("worker/a.c", body(f"{call};"), call.split("(")[0].split()[-1]) for call in (
        'sprintf(b, "x")', 'vsprintf(b, "x", a)', "strcpy(a, b)", "strcat(a, b)", "stpcpy(a, b)",
        "gets(b)", 'strtok(a, ",")', 'sscanf(a, "x")', "atoi(a)", "atol(a)", "atof(a)",
        "p = alloca(9)", "x = rand()", "x = random()", "system(a)", 'popen(a, "r")', "t = time(NULL)")],
    ("worker/a.c", body("snprintf(b, sizeof(b), x);"), None),
    ("worker/a.c", body('/* sprintf(b) */ log("strcpy(a)");'), None),
    ("worker/a.c", body("ph_strtok_like(a);"), None),
    ("worker/a.c", body("chan->system(a);"), None),
    ("libpayhub/io/daemon.c", body("t = time(NULL);"), None),
    # money
    ("libpayhub/domain/a.c", body("double rate;"), "double"),
    ("libpayhub/base/money.c", body("float rate;"), "float"),
    ("channels/x/a.c", body("double rate;"), "double"),
    ("worker/a.c", body("double rate;"), None),
    ("libpayhub/domain/a.c", body("/* no double charge */"), None),
    *[(f"{room}/a.c", body(f"{name}(a);"), name) for room in ("channels/x", "worker", "sandbox", "libpayhub/wire")
      for name in ("json_real", "json_real_value", "json_number_value", "strtod", "strtold")],
    ("cli/a.c", body("x = strtod(a, &b);"), None),
    ("channels/x/a.c", body("x = json_is_real(a);"), None),
    ("channels/x/a.c", body("f(a, JSON_DECODE_INT_AS_REAL);"), "JSON_DECODE_INT_AS_REAL"),
    ("channels/x/a.c", body("a = b * 100.0;"), "100.0"),
    ("channels/x/a.c", body("a = b * 1.;"), "1."),
    ("channels/x/a.c", body('a = "1.0"; /* 1.0 */'), None),
    ("channels/x/a.c", body("f(a, ...);"), None),
    ("worker/a.c", body("get(c, CURLINFO_CONNECT_TIME, &t);"), "CURLINFO_CONNECT_TIME"),
    ("worker/a.c", body("get(c, CURLINFO_CONNECT_TIME_T, &t);"), None),
    # purity
    ("libpayhub/wire/a.c", body("p = malloc(9);"), "malloc"),
    ("channels/x/a.c", body('printf("x");'), "printf"),
    ("libpayhub/base/a.c", body("clock_gettime(0, &t);"), "clock_gettime"),
    ("libpayhub/domain/a.c", "#include <unistd.h>\n", "unistd.h"),
    ("worker/a.c", "#include <unistd.h>\n", None),
    # comments
    ("worker/a.c", "int a; // why\n", "//"),
    ("worker/a.c", 'static const char *a = "http://x"; /* http://y */\n', None),
    # notes
    ("docs/a.md", "TO" "DO: write\n", "TO" "DO"),
    ("docs/a.md", "FIX" "ME\n", "FIX" "ME"),
    ("docs/a.md", "X" "XX\n", "X" "XX"),
    ("t/a.py", "currency = 'X" "XX'\n", None),
    ("docs/a.md", "mktemp /tmp/a.XXXXXX\n", None),
    ("docs/a.md", "see /ho" "me/me/x\n", "/ho" "me/"),
    ("docs/a.md", "see /mn" "t/disk\n", "/mn" "t/"),
    ("docs/a.md", "see ./root/x and t/root/x\n", None),
    ("docs/decisions/README.md", "[0001](0001-a.md)\n", "0001-a.md listed"),
    ("docs/decisions/README.md", "none\n", None),
    # SQL
    ("schema/1.sql", "delete from a where b=1 returning c;\n", "RETURNING"),
    ("schema/1.sql", "-- returning, insert ignore\nselect 1;\n", None),
    ("worker/a.c", body('q("INSERT INTO a VALUES (1) RETURNING b");'), "RETURNING"),
    ("worker/a.c", body('log("RETURNING");'), None),
    ("worker/a.c", body('q("INSERT " "IGNORE INTO a VALUES (1)");'), "INSERT IGNORE"),
    ("cli/a.c", body('q("REPLACE INTO a VALUES (1)");'), "REPLACE INTO"),
    ("worker/a.c", body('q("SELECT * FROM (VALUES (1),(2)) AS t");'), "VALUES"),
    ("worker/a.c", body('q("SELECT * FROM (VALUES ROW(1)) AS t");'), "VALUES"),
    ("worker/a.c", body('q("INSERT INTO a (b) VALUES (1),(2)");'), None),
    ("worker/a.c", body('q("INSERT INTO a (b) VALUES (1) ON DUPLICATE KEY UPDATE b=VALUES(b)");'), None),
    ("schema/1.sql", "CREATE SEQUENCE s;\n", "SEQUENCE"),
    ("schema/1.sql", "  sequence INT UNSIGNED NOT NULL,\n", None),
    ("worker/a.c", body('q("SELECT a->\'$.b\' FROM c");'), "->"),
    ("worker/a.c", body('q("SELECT a FROM c", row->b);'), None),
    # Lua
    ("lua-free-config/a.conf", "content_by_lua_block { }\n", "Lua"),
    ("lua-free-config/a.conf", "# no Lua here, lua-free\n", None),
    # sections of edge tests
    ("t/nginx/a.t", "run_tests();\n__DATA__\n\n=== TEST 1\n--- eror_code: 200\n", "a.t:5: found --- eror_code"),
    ("t/nginx/a.t", "run_tests();\n__DATA__\n\n=== TEST 1\n--- ONLY\n", "--- ONLY"),
    ("t/nginx/a.t", "run_tests();\n__DATA__\n\n=== TEST 1\n--- error_code: 200\n", None),
    ("t/nginx/a.t", "$block->signed;\n__DATA__\n\n=== TEST 1\n--- signed: 1\n", None),
    # sizes
    ("worker/a.c", "int a;\n" * 701, "701 lines"),
    ("worker/a.c", "int a;\n" * 700, None),
    ("worker/a.h", "int a;\n" * 251, "251 lines"),
    ("ngx_payhub_module/a.c", "int a;\n" * 700, None),
    ("ngx_payhub_module/a.c", "int a;\n" * 701, "701 lines"),
    ("worker/a.c", FUNCTION % ("    x();\n" * 66), "name of 71 lines"),
    ("worker/a.c", FUNCTION % ("    x();\n" * 65), None),
    ("ngx_payhub_module/a.c", FUNCTION % ("    x();\n" * 65), None),
    ("ngx_payhub_module/a.c", FUNCTION % ("    x();\n" * 106), "name of 111 lines"),
    # suppressions
    ("worker/a.c", "/* cppcheck-suppress nullPointer */\n", "suppression"),
    ("worker/a.c", "/* cppcheck-suppress nullPointer ; the list is never empty */\n", None),
    ("worker/a.c", "int a; /* NOLINT */\n", "suppression"),
    ("worker/a.c", "/* NOLINTNEXTLINE(misc-no-recursion): depth is at most 3 */\n", None),
]

LAYERS = [
    ("libpayhub/base/a.c", '#include "libpayhub/wire/b.h"\n', "room wire in room base"),
    ("libpayhub/domain/a.c", '#include "libpayhub/wire/b.h"\n', "room wire in room domain"),
    ("libpayhub/wire/a.h", '#include "libpayhub/domain/b.h"\n', "room domain in room wire"),
    ("libpayhub/wire/a.c", '#include "libpayhub/base/b.h"\n#include <openssl/evp.h>\n', None),
    ("channels/x/a.c", '#include "libpayhub/io/b.h"\n', "room io in room channels"),
    ("channels/x/a.c", '#include "channels/channel.h"\n#include <jansson.h>\n', None),
    ("ngx_payhub_module/a.c", '#include "worker/b.h"\n', "room worker in room edge"),
    ("ngx_payhub_module/a.c", '#include "libpayhub/io/b.h"\n', "room io in room edge"),
    ("ngx_payhub_module/a.c", "#include <hiredis/hiredis.h>\n", "hiredis"),
    ("ngx_payhub_module/a.c", "#include <curl/curl.h>\n", "curl"),
    ("ngx_payhub_module/a.c", "#include <openssl/evp.h>\n", "openssl"),
    ("ngx_payhub_module/a.c", "#include <ngx_core.h>\n#include <jansson.h>\n", None),
    ("worker/a.c", '#include "libpayhub/io/b.h"\n#include <uv.h>\n#include <mysql.h>\n', None),
    ("worker/a.c", "#include <ngx_core.h>\n", "nginx"),
    ("worker/a.c", "#include <openssl/ssl.h>\n", "openssl"),
    ("sidecar/a.c", '#include "worker/b.h"\n', "room worker in room sidecar"),
    ("sidecar/a.c", "#include <curl/curl.h>\n", "curl"),
    ("cli/a.c", '#include "channels/channel.h"\n', None),
    ("sidecar/a.c", '#include "channels/channel.h"\n', "room channels in room sidecar"),
    ("sandbox/a.c", "#include <mysql.h>\n", "mysql"),
    ("libpayhub/domain/a.def", '#include "libpayhub/io/b.h"\n', "room io in room domain"),
    ("libpayhub/base/a.c", '/* #include "worker/b.h" */\n', None),
]

NGX = "static ngx_int_t\nname(void)\n{\n    ngx_int_t   a;\n\n%s    return a;\n}\n"

STYLE = [
    (NGX % "    a = 1;\n", None),
    (NGX % "\ta = 1;\n", "a tab"),
    (NGX % ("    a = " + "1" * 72 + ";\n"), "columns"),
    (NGX % "    a = 1; \n", "blanks at the end"),
    (NGX % "    // why\n", "//"),
    (NGX % "    if (a)\n        a = 1;\n", "without braces"),
    (NGX % "    for ( ;; ) { a = 1; }\n", None),
    (NGX % "    do { a = 1; } while (a);\n", None),
    (NGX % "    if (a) {\n        a = 1;\n    } else {\n        a = 2;\n    }\n", "right under a statement"),
    (NGX % "    if (a) {\n        a = 1;\n\n    } else {\n        a = 2;\n    }\n", None),
    (NGX % "    if (a) {\n        a = 1;\n\n    }\n    else {\n        a = 2;\n    }\n", "line of its own"),
    (NGX % "    if (a) {\n        a = 1;\n\n    } else\n        a = 2;\n", "'else' without braces"),
    (NGX % "    a = 1;\n    ngx_str_t   b;\n", "declaration after"),
    (NGX % "    a = 1;\n    int  b = 2;\n", "declaration after"),
    (NGX % "    if (a) {\n        ngx_str_t  b;\n\n        a = 2;\n    }\n", None),
    (NGX % "    f(a,\n      b);\n", None),
    (NGX % "    u_char*  b;\n", "star at the type"),
    (NGX % ("    a();\n" * 104), "name of 111 lines"),
    ("static int name(void)\n{\n    return 0;\n}\n", "return type"),
    ((NGX % "") + "\n\n" + (NGX % ""), None),
    ((NGX % "") + "\n" + (NGX % ""), "1 blank lines before"),
    ((NGX % "") + "\n\n/* why\n * and how */\n" + (NGX % ""), None),
    ((NGX % "") + "\n/* why */\n" + (NGX % ""), "1 blank lines before"),
]

SCRIPTS = [
    ("a", "#!/bin/sh\ncd $1 && ls\n", None),
    ("a", "#!/bin/sh\nfor x in `ls`; do echo $y; done\nif [ $z == 1 ]; then ls; fi\n", "shellcheck"),
    ("a.py", "import os\n", "pyflakes"),
    ("a.py", "def f(:\n", "cannot read"),
    ("a.py", "print(1)\n", None),
    ("a.pl", "use strict;\n$x = 1;\n", "cannot compile"),
    ("a.pl", "use strict;\nmy $x = 1;\nprint $x;\n", None),
]

FORMAT = [
    (body("x = 1;"), None),
    ("static int name(void) {\n  return 0;\n}\n", "unformatted"),
]

CPPCHECK = [
    ("int\nfirst(void)\n{\n    return 0;\n}\n", None),
    ("int\nfirst(int at)\n{\n    int list[2] = { 0, 1 };\n\n    if (at > 5) {\n        return list[7];\n    }\n"
     "    return list[0];\n}\n", "arrayIndexOutOfBounds"),
]

TIDY = [
    ("int\nfirst(int at)\n{\n    if (at > 1) {\n        return 1;\n    }\n    return 0;\n}\n", None),
    ("int\nfirst(int at)\n{\n    if (at > 1)\n        return 1;\n    return 0;\n}\n", "braces"),
    ("int\nfirst(int at)\n{\n    return at > 1 ? first(at - 1) : 0;\n}\n", "recursive"),
    ("#include <string.h>\nvoid\nwipe(char *p, char *q)\n{\n    memset(p, sizeof(p), 0);\n    (void) q;\n}\n", "memset"),
    ("#include <missing.h>\n", "does not preprocess"),
]

HEADERS = [
    ("libpayhub/base/a.h", "#include <stddef.h>\nsize_t a(void);\n", None),
    ("libpayhub/base/a.h", "size_t a(void);\n", "does not compile alone"),
]

# (source of a shared object, libraries, what the finding must say)
MODULES = [
    ("int ngx_modules, ngx_module_names;", [], None),
    ("int ngx_modules, ngx_module_names; int ph_leak(void) { return 1; }", [], "ph_leak"),
    ("int ngx_modules;", [], "ngx_module_names"),
    ("#include <curl/curl.h>\nint ngx_modules, ngx_module_names;"
     "static CURL *c(void) { return curl_easy_init(); } __attribute__((visibility(\"hidden\")))"
     " CURL *(*keep)(void) = c;", ["-lcurl"], "libcurl"),
]
