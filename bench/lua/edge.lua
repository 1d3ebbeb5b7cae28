-- The same work as payhub's edge, as well as Lua does it: HMAC-SHA256 on kept
-- libcrypto contexts through the FFI, the clock window, a nonce in a shared
-- dict, two GCRA limits in another, a route by one field of the body.
--
-- Only what LuaJIT compiles stands on the hot path: no string is made that the
-- FFI can do without, no table, no closure, no pattern with captures but the
-- one over the header.  read_body() alone cannot be compiled.
local ffi = require "ffi"
local C = ffi.load("libcrypto.so.3")

ffi.cdef [[
typedef struct evp_md_ctx_st EVP_MD_CTX;
typedef struct evp_md_st EVP_MD;
EVP_MD *EVP_MD_fetch(void *ctx, const char *algorithm, const char *properties);
EVP_MD_CTX *EVP_MD_CTX_new(void);
int EVP_MD_CTX_copy_ex(EVP_MD_CTX *out, const EVP_MD_CTX *in);
int EVP_DigestInit_ex2(EVP_MD_CTX *ctx, const EVP_MD *type, const void *params);
int EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *d, size_t cnt);
int EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *md, unsigned int *s);
int EVP_EncodeBlock(unsigned char *t, const unsigned char *f, int dlen);
int CRYPTO_memcmp(const void *a, const void *b, size_t len);
]]

local bit = require "bit"
local find, sub, byte, char = string.find, string.sub, string.byte, string.char
local time, now = ngx.time, ngx.now
local max = math.max

local WINDOW = 300
local nonces, limits = ngx.shared.nonces, ngx.shared.limits
local digest = ffi.new("unsigned char[32]")
local text = ffi.new("unsigned char[48]")
local sha256 = C.EVP_MD_fetch(nil, "SHA256", nil)
local work = C.EVP_MD_CTX_new()

local keys = {}     -- id -> { inner, outer, app }
local routes = { sandbox_bar = "acc1", wechat_native = "acc2" }
local _M = {}

local function padded(secret, pad)
    local block = {}
    for i = 1, 64 do
        block[i] = char(bit.bxor(byte(secret, i) or 0, pad))
    end
    local ctx = C.EVP_MD_CTX_new()
    assert(C.EVP_DigestInit_ex2(ctx, sha256, nil) == 1)
    assert(C.EVP_DigestUpdate(ctx, table.concat(block), 64) == 1)
    return ctx
end

function _M.key(id, path, app)
    local file = assert(io.open(path))
    local secret = file:read("*a"):gsub("\n$", "")
    file:close()
    keys[id] = { inner = padded(secret, 0x36), outer = padded(secret, 0x5c),
                 app = app }
end

-- GCRA: the theoretical arrival time is all that a key keeps; interval and
-- burst are in seconds
local function allowed(name, interval, burst)
    local at = now()
    local tat = max(limits:get(name) or at, at)

    if tat - at > burst then
        return false
    end
    limits:set(name, tat + interval, burst + 1)
    return true
end

local function proved(key, method, target, timestamp, nonce, body, signature)
    if #signature ~= 44
        or C.EVP_MD_CTX_copy_ex(work, key.inner) ~= 1
    then
        return false
    end

    C.EVP_DigestUpdate(work, method, #method)
    C.EVP_DigestUpdate(work, "\n", 1)
    C.EVP_DigestUpdate(work, target, #target)
    C.EVP_DigestUpdate(work, "\n", 1)
    C.EVP_DigestUpdate(work, timestamp, #timestamp)
    C.EVP_DigestUpdate(work, "\n", 1)
    C.EVP_DigestUpdate(work, nonce, #nonce)
    C.EVP_DigestUpdate(work, "\n", 1)
    C.EVP_DigestUpdate(work, body, #body)
    C.EVP_DigestUpdate(work, "\n", 1)

    if C.EVP_DigestFinal_ex(work, digest, nil) ~= 1
        or C.EVP_MD_CTX_copy_ex(work, key.outer) ~= 1
        or C.EVP_DigestUpdate(work, digest, 32) ~= 1
        or C.EVP_DigestFinal_ex(work, digest, nil) ~= 1
    then
        return false
    end

    C.EVP_EncodeBlock(text, digest, 32)
    return C.CRYPTO_memcmp(text, signature, 44) == 0
end

-- the value between the quotes behind `name`, which stands plain in the header
local function field(header, name)
    local _, from = find(header, name, 1, true)
    if not from then
        return nil
    end
    local to = find(header, '"', from + 1, true)
    return to and sub(header, from + 1, to - 1)
end

function _M.check()
    local var = ngx.var

    if not allowed(var.binary_remote_addr, 1e-6, 1) then
        return 429
    end

    local header = var.http_authorization
    if not header or sub(header, 1, 10) ~= "PAYHUB-V3 " then
        return 401
    end
    local id = field(header, 'key_id="')
    local timestamp = field(header, 'timestamp="')
    local nonce = field(header, 'nonce="')
    local signature = field(header, 'signature="')
    local stamp = timestamp and tonumber(timestamp)
    local key = id and keys[id]
    if not stamp or not nonce or not signature or not key
        or stamp > time() + WINDOW or stamp < time() - WINDOW
    then
        return 401
    end

    ngx.req.read_body()
    local body = ngx.req.get_body_data() or ""
    if not proved(key, var.request_method, var.request_uri, timestamp, nonce,
                  body, signature)
    then
        return 401
    end

    if not nonces:add(nonce, true, 2 * WINDOW) then
        return 401
    end
    if not allowed(key.app, 1e-6, 1) then
        return 429
    end

    local method = field(body, '"method":"')
    var.route = method and routes[method] or ""
    return 200
end

return _M
