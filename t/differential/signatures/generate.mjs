// Makes signed requests and mutants of them, judges each by implementations
// that share nothing with libpayhub (node's crypto, http-message-signatures,
// sm-crypto), and writes request and verdict for driver.c to judge again.
//   usage: MODULES=DIR node generate.mjs CASES [SEED] > stream
//
// The stream: u32 now, u32 count of keys, keys (text id, u8 algorithm, text
// material), then cases until a byte 255.  A case: u8 scheme (1 payhub-v3,
// 2 rfc9421), u8 verdict, text name of the mutation, text method, target, URL
// scheme, authority, body, u32 count of fields, fields (text name, text value).
// A text is a u32 length and its bytes; integers are little-endian.
import { createRequire } from 'node:module';
import crypto from 'node:crypto';
import fs from 'node:fs';

const require = createRequire(process.env.MODULES + '/');
const { httpbis } = require('http-message-signatures');
const { sm2 } = require('sm-crypto');

const PER_ORIGINAL = 8; // the request itself and seven mutants
const NOW = Math.floor(Date.now() / 1000);
const total = Number(process.argv[2]);
const output = 1;

// ---- randomness that a seed repeats ----
let state = BigInt(process.argv[3] ?? 1) * 0x9e3779b97f4a7c15n & 0xffffffffffffffffn;
let [low, high] = [Number(state & 0xffffffffn) | 1, Number(state >> 32n) | 1];
function below(n) { // xorshift over two 32-bit halves
  let t = low ^ (low << 11);
  low = high;
  high = (high ^ (high >>> 19)) ^ (t ^ (t >>> 8));
  return (high >>> 0) % n;
}
const pick = (list) => list[below(list.length)];
function text(length, alphabet) {
  let out = '';
  while (out.length < length) out += alphabet[below(alphabet.length)];
  return out;
}
const TOKEN = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-';
const LOWER = 'abcdefghijklmnopqrstuvwxyz0123456789';

// ---- keys: two of each algorithm, so that a mutant can name the other ----
const ALGS = ['hmac-sha256', 'rsa-v1_5-sha256', 'rsa-pss-sha512',
  'ecdsa-p256-sha256', 'ed25519', 'sm2-sm3']; // code = index + 1
const KINDS = {
  'rsa-v1_5-sha256': ['rsa', { modulusLength: 2048 }],
  'rsa-pss-sha512': ['rsa', { modulusLength: 3072 }],
  'ecdsa-p256-sha256': ['ec', { namedCurve: 'P-256' }],
  'ed25519': ['ed25519', {}],
};
const PSS = { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 };

function makeKey(alg, id) {
  if (alg === 'hmac-sha256') {
    const secret = crypto.randomBytes(43).toString('base64');
    const sign = (data) => crypto.createHmac('sha256', secret).update(data).digest();
    return { id, alg, material: secret, sign, verify: (data, given) => given.equals(sign(data)) };
  }
  if (alg === 'sm2-sm3') {
    const pair = sm2.generateKeyPairHex();
    const head = Buffer.from('3059301306072a8648ce3d020106082a811ccf5501822d034200', 'hex');
    const der = Buffer.concat([head, Buffer.from(pair.publicKey, 'hex')]);
    const options = { hash: true, der: true, publicKey: pair.publicKey, userId: '1234567812345678' };
    return {
      id, alg,
      material: `-----BEGIN PUBLIC KEY-----\n${der.toString('base64').replace(/(.{64})(?=.)/g, '$1\n')}\n-----END PUBLIC KEY-----\n`,
      sign: (data) => Buffer.from(sm2.doSignature([...data], pair.privateKey, options), 'hex'),
      verify(data, given) {
        // the one DER form of two integers; sm-crypto's reader is lenient
        if (!isDerPair(given)) return false;
        try {
          return sm2.doVerifySignature([...data], given.toString('hex'), pair.publicKey, options);
        } catch {
          return false;
        }
      },
    };
  }
  const { publicKey, privateKey } = crypto.generateKeyPairSync(...KINDS[alg]);
  const hash = alg === 'ed25519' ? null : alg === 'rsa-pss-sha512' ? 'sha512' : 'sha256';
  const extra = alg === 'rsa-pss-sha512' ? PSS
    : alg === 'ecdsa-p256-sha256' ? { dsaEncoding: 'ieee-p1363' } : {};
  // RFC 8017, 8.1.2 and 8.2.2: a signature has the modulus' length; node also
  // takes a PSS signature without the zero byte that it began with
  const length = publicKey.asymmetricKeyDetails.modulusLength / 8 || 64;
  return {
    id, alg,
    material: publicKey.export({ type: 'spki', format: 'pem' }),
    sign: (data) => crypto.sign(hash, data, { key: privateKey, ...extra }),
    verify: (data, given) => given.length === length
      && crypto.verify(hash, data, { key: publicKey, ...extra }, given),
  };
}

function isDerPair(bytes) {
  const integer = (at) => {
    const length = bytes[at + 1];
    const first = bytes[at + 2];
    const fits = bytes[at] === 2 && length > 0 && length <= 33 && at + 2 + length <= bytes.length;
    const minimal = fits && (first < 0x80) && !(first === 0 && (length === 1 || bytes[at + 3] < 0x80));
    return minimal ? at + 2 + length : -1;
  };
  const middle = bytes.length > 8 && bytes[0] === 0x30 && bytes[1] === bytes.length - 2 ? integer(2) : -1;
  return middle > 0 && integer(middle) === bytes.length;
}

const keys = ALGS.flatMap((alg) => [0, 1].map((n) => makeKey(alg, `k${ALGS.indexOf(alg)}_${n}`)));
const byId = new Map(keys.map((key) => [key.id, key]));
const other = (id) => id.slice(0, -1) + (id.endsWith('0') ? '1' : '0');
// costly algorithms get fewer cases
const WEIGHTED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4];

// ---- payhub-v3, from its description ----
const V3 = /^PAYHUB-V3 ((?:key_id|timestamp|nonce|signature)="[^",]*"(?:,(?:key_id|timestamp|nonce|signature)="[^",]*"){3})$/;
const V3_FIELDS = {
  key_id: /^[A-Za-z0-9_-]{1,32}$/, timestamp: /^(0|[1-9][0-9]{0,10})$/,
  nonce: /^[A-Za-z0-9_-]{8,64}$/, signature: /^[A-Za-z0-9+/]+={0,2}$/,
};

// strict base64: what encodes to itself
function raw(base64) {
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 ? bytes : null;
}

function stringV3(request, timestamp, nonce) {
  return Buffer.concat([Buffer.from(`${request.method}\n`), Buffer.from(request.target, 'latin1'),
    Buffer.from(`\n${timestamp}\n${nonce}\n`), request.body, Buffer.from('\n')]);
}

function judgeV3(request) {
  const found = V3.exec(request.fields[0][1]);
  if (!found) return false;
  const values = {};
  for (const pair of found[1].split(',')) {
    const [, name, value] = /^([a-z_]+)="([^"]*)"$/.exec(pair);
    if (name in values || !V3_FIELDS[name].test(value)) return false;
    values[name] = value;
  }
  const key = byId.get(values.key_id);
  const given = raw(values.signature);
  return Boolean(key && given && key.verify(stringV3(request, values.timestamp, values.nonce), given));
}

const headerV3 = (v) => `PAYHUB-V3 key_id="${v.key_id}",timestamp="${v.timestamp}",nonce="${v.nonce}",signature="${v.signature}"`;

function makeV3(key) {
  const request = makeRequest();
  const values = { key_id: key.id, timestamp: String(NOW - below(300)), nonce: text(8 + below(57), TOKEN) };
  const signature = key.sign(stringV3(request, values.timestamp, values.nonce));
  values.signature = signature.toString('base64');
  request.scheme = 1;
  request.values = values;
  request.fields = [['Authorization', headerV3(values)]];
  return request;
}

// ---- both ----
function makeRequest() {
  const path = Array.from({ length: 1 + below(4) }, () => text(1 + below(12), TOKEN)).join('/');
  const query = below(2) ? '?' + Array.from({ length: 1 + below(3) },
    () => `${text(1 + below(8), LOWER)}=${text(below(12), LOWER)}`).join('&') : '';
  const method = pick(['GET', 'POST', 'POST', 'POST', 'PUT', 'DELETE']);
  const body = method === 'GET' || below(8) === 0 ? Buffer.alloc(0)
    : below(4) === 0 ? crypto.randomBytes(1 + below(2000))
      : Buffer.from(JSON.stringify({ order_no: text(20, TOKEN), amount: below(1e9), note: text(below(200), TOKEN + ' "') }));
  return {
    method, target: `/${path}${query}`, body,
    urlScheme: pick(['http', 'https']),
    authority: text(3 + below(8), 'abcdefghij') + '.example' + pick(['', '', ':8443']),
  };
}

function flipBit(bytes) {
  const out = Buffer.from(bytes);
  out[below(out.length)] ^= 1 << below(8);
  return out;
}

// another character of the alphabet at a place of that alphabet
function swapCharacter(value, alphabet) {
  const places = [...value].flatMap((ch, i) => (alphabet.includes(ch) ? [i] : []));
  if (places.length === 0) return null;
  const at = pick(places);
  let ch;
  do ch = alphabet[below(alphabet.length)]; while (ch === value[at]);
  return value.slice(0, at) + ch + value.slice(at + 1);
}

const copy = (request) => ({ ...request, fields: request.fields.map((field) => [...field]) });
const flippedSignature = (base64) => flipBit(Buffer.from(base64, 'base64')).toString('base64');

const SHARED_MUTANTS = {
  body(r) { r.body = r.body.length ? flipBit(r.body) : Buffer.from('x'); },
  'body-longer'(r) { r.body = Buffer.concat([r.body, crypto.randomBytes(1)]); },
  target(r) { r.target = swapCharacter(r.target, LOWER) ?? r.target + 'a'; },
  'target-longer'(r) { r.target += 'a'; },
  method(r) { r.method = pick(['GET', 'POST', 'PUT', 'DELETE', 'PATCH'].filter((m) => m !== r.method)); },
};

function changedV3(change) {
  return (r) => {
    const values = { ...r.values };
    change(values);
    r.fields[0][1] = headerV3(values);
  };
}

const V3_MUTANTS = {
  ...SHARED_MUTANTS,
  timestamp: changedV3((v) => { v.timestamp = String(Number(v.timestamp) + (below(2) ? 1 : -1)); }),
  nonce: changedV3((v) => { v.nonce = swapCharacter(v.nonce, TOKEN); }),
  'key-other': changedV3((v) => { v.key_id = other(v.key_id); }),
  'key-unknown': changedV3((v) => { v.key_id += 'x'; }),
  'key-algorithm': changedV3((v) => { v.key_id = pick(keys.filter((k) => k.alg !== byId.get(v.key_id).alg)).id; }),
  signature: changedV3((v) => { v.signature = flippedSignature(v.signature); }),
  'signature-bit': changedV3((v) => { v.signature = flippedSignature(v.signature); }),
  'signature-text': changedV3((v) => { v.signature = swapCharacter(v.signature, TOKEN.slice(0, 62) + '+/'); }),
  'signature-cut': changedV3((v) => { v.signature = raw(v.signature).subarray(1).toString('base64'); }),
  'signature-long': changedV3((v) => { v.signature = Buffer.concat([raw(v.signature), Buffer.alloc(1)]).toString('base64'); }),
  'signature-zero': changedV3((v) => { v.signature = Buffer.alloc(raw(v.signature).length).toString('base64'); }),
  'header-bit'(r) { r.fields[0][1] = flipBit(Buffer.from(r.fields[0][1])).toString('latin1'); },
  'header-cut'(r) { r.fields[0][1] = r.fields[0][1].slice(0, below(r.fields[0][1].length)); },
  'field-twice'(r) { r.fields[0][1] += `,nonce="${r.values.nonce}"`; },
};

// ---- rfc9421, by http-message-signatures ----
const REQUIRED = ['@method', '@authority', '@path', '@query'];
const DIGESTS = { 'sha-256': 'sha256', 'sha-512': 'sha512' };

function contentDigest(body, names) {
  return names.map((name) => `${name}=:${crypto.createHash(DIGESTS[name]).update(body).digest('base64')}:`).join(', ');
}

function digestHolds(value, body) {
  let known = 0;
  for (const member of value.split(', ')) {
    const found = /^([a-z0-9-]+)=:([A-Za-z0-9+/=]*):$/.exec(member);
    if (!found) return false;
    if (!(found[1] in DIGESTS)) continue;
    known++;
    if (contentDigest(body, [found[1]]) !== member) return false;
  }
  return known > 0;
}

const headersOf = (request) => Object.fromEntries(request.fields);
const urlOf = (request) => `${request.urlScheme}://${request.authority}${request.target}`;

async function judge9421(request) {
  const headers = headersOf(request);
  const names = Object.keys(headers).map((name) => name.toLowerCase());
  const needed = [...REQUIRED];
  if (request.body.length) needed.push('content-digest');
  if (names.includes('idempotency-key')) needed.push('idempotency-key');
  if ('Content-Digest' in headers && !digestHolds(headers['Content-Digest'], request.body)) return false;
  try {
    let strict = true;
    const verdict = await httpbis.verifyMessage({
      keyLookup: async ({ keyid, nonce }) => {
        const key = byId.get(keyid);
        if (!key) return null;
        strict &&= typeof nonce === 'string' && /^[A-Za-z0-9_-]{8,64}$/.test(nonce);
        return { id: keyid, algs: [key.alg], verify: async (data, given) => key.verify(data, given) };
      },
      requiredFields: needed,
      requiredParams: ['created', 'keyid', 'nonce'],
    }, { method: request.method, url: urlOf(request), headers });
    return verdict === true && strict;
  } catch {
    return false;
  }
}

async function make9421(key) {
  const request = makeRequest();
  request.scheme = 2;
  request.fields = [['Host', request.authority], ['X-Trace', text(1 + below(20), TOKEN)],
    ['Content-Type', 'application/json']];
  const fields = [...REQUIRED];
  if (request.body.length) {
    request.fields.push(['Content-Digest', contentDigest(request.body, pick([['sha-256'], ['sha-512'], ['sha-512', 'sha-256']]))]);
    fields.push('content-digest');
  }
  if (below(3) === 0) {
    request.fields.push(['Idempotency-Key', text(16, TOKEN)]);
    fields.push('idempotency-key');
  }
  for (const more of ['x-trace', 'content-type', 'host', '@scheme', '@target-uri', '@request-target']) {
    if (below(4) === 0) fields.push(more);
  }
  fields.sort(() => below(3) - 1);
  const created = NOW - below(300);
  const params = ['created', 'keyid', 'nonce', ...['expires', 'alg', 'tag'].filter(() => below(3) === 0)];
  params.sort(() => below(3) - 1);
  const signed = await httpbis.signMessage({
    key: { id: key.id, alg: key.alg, sign: async (data) => key.sign(data) },
    fields, params, name: pick(['sig', 'sig1', '*a.b-c_d']),
    paramValues: {
      created: new Date(created * 1000), nonce: text(8 + below(57), TOKEN),
      expires: new Date((NOW + 3600) * 1000), tag: text(1 + below(12), TOKEN + ' "\\'),
    },
  }, { method: request.method, url: urlOf(request), headers: headersOf(request) });
  request.fields = Object.entries(signed.headers);
  request.keyId = key.id;
  return request;
}

function fieldChange(name, change) {
  return (r) => {
    const field = r.fields.find((f) => f[0] === name);
    if (!field) return false;
    const value = change(field[1], r);
    if (value === null || value === field[1]) return false;
    field[1] = value;
    return true;
  };
}
const inputChange = (change) => fieldChange('Signature-Input', change);
const signatureChange = (change) => fieldChange('Signature',
  (value) => value.replace(/:(.*):/, (_, base64) => `:${change(base64)}:`));

const RFC_MUTANTS = {
  ...SHARED_MUTANTS,
  authority(r) { r.authority = swapCharacter(r.authority, 'abcdefghij'); },
  created: inputChange((v) => v.replace(/created=(\d+)/, (_, n) => `created=${Number(n) - 1}`)),
  nonce: inputChange((v) => v.replace(/nonce="([^"]*)"/, (_, n) => `nonce="${swapCharacter(n, TOKEN)}"`)),
  'nonce-short': inputChange((v) => v.replace(/nonce="([^"]*)"/, 'nonce="short"')),
  'nonce-gone': inputChange((v) => v.replace(/;nonce="([^"]*)"/, '')),
  'key-other': inputChange((v, r) => v.replace(r.keyId, other(r.keyId))),
  'key-unknown': inputChange((v, r) => v.replace(r.keyId, 'nobody')),
  'key-algorithm': inputChange((v, r) => v.replace(r.keyId, pick(keys.filter((k) => k.alg !== byId.get(r.keyId).alg)).id)),
  alg: inputChange((v) => (v.includes('alg=') ? v.replace(/alg="[^"]*"/, 'alg="none"') : `${v};alg="none"`)),
  expired: inputChange((v) => v.replace(/;expires=\d+|$/, `;expires=${NOW - 1}`)),
  tag: inputChange((v) => `${v};extra=1`),
  component: inputChange((v) => v.replace(/"@(method|authority|path|query)" ?/, '')),
  'component-more': inputChange((v) => v.replace(/\)/, ' "user-agent")')),
  'component-twice': inputChange((v) => v.replace(/\)/, ' "@method")')),
  'component-order': inputChange((v) => v.replace(/\(("[^"]+") ("[^"]+")/, '($2 $1')),
  'input-bit': inputChange((v) => flipBit(Buffer.from(v)).toString('latin1')),
  'input-cut': inputChange((v) => v.slice(0, below(v.length))),
  signature: signatureChange(flippedSignature),
  'signature-bit': signatureChange(flippedSignature),
  'signature-cut': signatureChange((s) => raw(s).subarray(1).toString('base64')),
  'signature-long': signatureChange((s) => Buffer.concat([raw(s), Buffer.alloc(1)]).toString('base64')),
  'signature-zero': signatureChange((s) => Buffer.alloc(raw(s).length).toString('base64')),
  label: fieldChange('Signature', (v) => `x${v}`),
  digest: fieldChange('Content-Digest', (v) => swapCharacter(v.slice(0, -3), LOWER.slice(0, 26).toUpperCase()) + v.slice(-3)),
  'digest-gone'(r) { return r.body.length > 0 && (r.fields = r.fields.filter((f) => f[0] !== 'Content-Digest'), true); },
  // body and digest agree again, and only the signature tells
  'digest-both'(r) { r.body = Buffer.concat([r.body, Buffer.from('x')]); return fieldChange('Content-Digest', (_, q) => contentDigest(q.body, ['sha-256']))(r); },
  'idempotency-key': fieldChange('Idempotency-Key', (v) => swapCharacter(v, TOKEN)),
  'idempotency-more'(r) { return !r.fields.some((f) => f[0] === 'Idempotency-Key') && (r.fields.push(['Idempotency-Key', 'abc']), true); },
};

// ---- the stream ----
let chunks = [];
let size = 0;
function flush() {
  let data = Buffer.concat(chunks, size);
  chunks = [];
  size = 0;
  while (data.length) {
    try {
      data = data.subarray(fs.writeSync(output, data));
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
function put(bytes) {
  chunks.push(bytes);
  size += bytes.length;
  if (size > 1 << 18) flush();
}
function putU32(n) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(n);
  put(bytes);
}
function putText(value) {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  putU32(bytes.length);
  put(bytes);
}
async function putCase(request, name) {
  const verdict = request.scheme === 1 ? judgeV3(request) : await judge9421(request);
  put(Buffer.from([request.scheme, verdict ? 1 : 0]));
  for (const value of [name, request.method, request.target, request.urlScheme, request.authority, request.body]) putText(value);
  putU32(request.fields.length);
  for (const field of request.fields) field.forEach(putText);
}

putU32(NOW);
putU32(keys.length);
for (const key of keys) {
  putText(key.id);
  put(Buffer.from([ALGS.indexOf(key.alg) + 1]));
  putText(key.material);
}
for (let made = 0; made < total;) {
  const wantsSm2 = below(400) === 0; // sm-crypto takes milliseconds a verdict
  const alg = wantsSm2 ? 5 : pick(WEIGHTED);
  const key = byId.get(`k${alg}_${below(2)}`);
  const isV3 = wantsSm2 || below(2) === 0;
  const original = isV3 ? makeV3(key) : await make9421(key);
  const mutants = isV3 ? V3_MUTANTS : RFC_MUTANTS;
  const names = Object.keys(mutants);

  await putCase(original, 'original');
  made++;
  for (let i = 1; i < PER_ORIGINAL && made < total;) {
    const name = pick(names);
    const mutant = copy(original);
    if (mutants[name](mutant) === false) continue; // it has nothing to change
    await putCase(mutant, name);
    made++;
    i++;
  }
}
put(Buffer.from([255]));
flush();
