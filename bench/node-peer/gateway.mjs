// gateway.mjs - the peer of scripts/bench.d/pay: a payment gateway as it is
// commonly written in node, doing what ours does for one bar-code payment.
//
// fastify, a mysql2 pool, ioredis and undici, on the same tables, the same
// durability, the same sandbox over HTTPS with connections kept:
//   HMAC of the raw body -> nonce and lock in Redis, with a fence -> INSERTs in
//   one transaction -> call -> UPDATEs in one transaction -> answer; and the
//   channel's notice, proved, stored and acknowledged.
//
// usage: node gateway.mjs PROCESSES PORT   with the stack's environment

import cluster from 'node:cluster';
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import Fastify from 'fastify';
import Redis from 'ioredis';
import mysql from 'mysql2/promise';
import { Pool } from 'undici';

const [processes, port] = process.argv.slice(2).map(Number);
const env = process.env;
const file = (name) => readFileSync(name, 'utf8').trim();

const WINDOW_S = 300;
const LOCK_MS = 30000;
const LOOK_MS = 15000; // until somebody else looks after an order
const CONNECTIONS = Number(env.PEER_CONNECTIONS || 32);
const MARK = String.fromCharCode(10);

const LOCK = `
if redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[2]) == false then return 'replay' end
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[3]) == false then return 'busy' end
return tostring(redis.call('INCR', KEYS[3]))`;
const UNLOCK = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`;

if (cluster.isPrimary && processes > 1) {
  for (let i = 0; i < processes; i++) cluster.fork();
} else {
  await serve();
}

function mac(key, ...parts) {
  const hmac = createHmac('sha256', key);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

function same(a, b) {
  return a.length === b.length && timingSafeEqual(a, b);
}

function now(laterMs = 0) {
  return new Date(Date.now() + laterMs).toISOString()
    .replace('T', ' ').replace('Z', '');
}

let counter = 0;
function id(letter) {
  const at = Date.now().toString(36).padStart(10, '0').toUpperCase();
  counter = (counter + 1) % 1679616;
  return letter + at + counter.toString(36).padStart(4, '0').toUpperCase()
    + randomBytes(6).toString('hex').toUpperCase();
}

const AUTH = /^PAYHUB-V3 key_id="([^"]+)", ?timestamp="(\d+)", ?nonce="([^"]+)", ?signature="([^"]+)"$/;

async function serve() {
  const secret = Buffer.from(file(env.PAYHUB_SECRET_FILE));
  const sandboxKey = file(env.PEER_SANDBOX_KEY);
  const sandbox = new Pool(env.PAYHUB_SANDBOX_URL, {
    connections: 64, pipelining: 1, connect: { ca: file(env.PAYHUB_CA_FILE) } });
  const redis = new Redis({ path: env.PAYHUB_REDIS_SOCKET,
    enableAutoPipelining: true });
  redis.defineCommand('take', { numberOfKeys: 3, lua: LOCK });
  redis.defineCommand('give', { numberOfKeys: 1, lua: UNLOCK });
  const db = mysql.createPool({ socketPath: env.PAYHUB_MYSQL_SOCKET,
    user: env.PEER_MYSQL_USER, password: env.PEER_MYSQL_PASSWORD || undefined,
    database: env.PAYHUB_MYSQL_DB, connectionLimit: CONNECTIONS,
    charset: 'utf8mb4', supportBigNumbers: true });
  const app = Fastify({ logger: false });

  app.addContentTypeParser('*', { parseAs: 'buffer' },
    (request, body, done) => done(null, body));
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'buffer' },
    (request, body, done) => done(null, body));

  async function transaction(work) {
    const link = await db.getConnection();
    try {
      await link.beginTransaction();
      const result = await work(link);
      await link.commit();
      return result;
    } catch (error) {
      await link.rollback().catch(() => link.destroy());
      throw error;
    } finally {
      link.release();
    }
  }

  function insertOrder(pay, raw, ids, fence) {
    const at = now();
    return transaction(async (link) => {
      const [made] = await link.query('INSERT INTO payment_no (app_id,order_no,'
        + 'payment_id,request_hash,ver) VALUES (?,?,?,?,0) ON DUPLICATE KEY '
        + 'UPDATE ver=ver', [env.PAYHUB_APP_ID, pay.order_no, ids.payment,
        createHash('sha256').update(raw).digest()]);
      if (made.affectedRows !== 1) throw new Error('duplicate');
      await link.query('INSERT INTO payment SET ?', { id: ids.payment,
        merchant_id: env.PAYHUB_MERCHANT_ID, app_id: env.PAYHUB_APP_ID,
        order_no: pay.order_no, status: 'paying', amount: pay.amount,
        currency: pay.currency, method: pay.method, channel: 'sandbox',
        account_id: env.PEER_ACCOUNT, attempt_ids: ids.attempt,
        subject: pay.subject, extra: JSON.stringify(pay.extra), fence,
        created_at: at, expires_at: now(1800000), sent_at: at });
      await link.query('INSERT INTO attempt SET ?', { id: ids.attempt,
        payment_id: ids.payment, merchant_id: env.PAYHUB_MERCHANT_ID,
        app_id: env.PAYHUB_APP_ID, status: 'sent', channel: 'sandbox',
        account_id: env.PEER_ACCOUNT, method: pay.method, amount: pay.amount,
        currency: pay.currency, fence, created_at: at, sent_at: at });
      await link.query('INSERT INTO work SET ?', { id: ids.payment,
        due_at: now(LOOK_MS) });
    });
  }

  async function call(pay, ids) {
    const body = JSON.stringify({ out_trade_no: ids.attempt, amount: pay.amount,
      currency: pay.currency, method: pay.method, subject: pay.subject,
      auth_code: pay.extra.auth_code,
      notify_url: `http://127.0.0.1:${port}/notify` });
    const at = String(Math.floor(Date.now() / 1000));
    const answer = await sandbox.request({ path: '/pay', method: 'POST', body,
      headers: { 'Content-Type': 'application/json', 'Sandbox-Timestamp': at,
        'Sandbox-Signature':
          mac(sandboxKey, at, MARK, body, MARK).toString('base64') } });
    const text = await answer.body.text();
    const proof = mac(sandboxKey, answer.headers['sandbox-timestamp'], MARK,
      text, MARK);
    if (!same(proof, Buffer.from(answer.headers['sandbox-signature'],
      'base64'))) throw new Error('not the sandbox');
    const said = JSON.parse(text);
    if (said.status !== 'paid' || said.amount !== pay.amount
        || said.out_trade_no !== ids.attempt) throw new Error('not paid');
    return [said, createHash('sha256').update(text).digest()];
  }

  function settleOrder(ids, said, digest, fence) {
    const at = now();
    return transaction(async (link) => {
      await link.query('INSERT INTO channel_trade (channel,account_id,trade_no,'
        + 'attempt_id,ver) VALUES (?,?,?,?,0) ON DUPLICATE KEY UPDATE ver=ver',
      ['sandbox', env.PEER_ACCOUNT, said.trade_no, ids.attempt]);
      const [payment] = await link.query('UPDATE payment SET ver=ver+1,'
        + 'status=\'paid\',channel_trade_no=?,proof_source=\'answer\','
        + 'proof_digest=?,paid_at=? WHERE id=? AND ver=0 AND fence<=? AND '
        + 'status IN (\'created\',\'paying\')',
      [said.trade_no, digest, at, ids.payment, fence]);
      const [attempt] = await link.query('UPDATE attempt SET ver=ver+1,'
        + 'status=\'succeeded\',channel_trade_no=?,proof_source=\'answer\','
        + 'proof_digest=?,paid_at=? WHERE id=? AND ver=0 AND '
        + 'status=\'sent\'', [said.trade_no, digest, at, ids.attempt]);
      if (payment.affectedRows !== 1 || attempt.affectedRows !== 1) {
        throw new Error('moved meanwhile');
      }
      await link.query('DELETE FROM work WHERE id=?', [ids.payment]);
    });
  }

  app.post('/v1/payments', async (request, reply) => {
    const found = AUTH.exec(request.headers.authorization || '');
    if (!found) return reply.code(401).send({ code: 'PH-A101' });
    const [, keyId, at, nonce, signature] = found;
    const raw = request.body;
    const proof = mac(secret, `POST${MARK}${request.url}${MARK}${at}${MARK}`
      + `${nonce}${MARK}`, raw, MARK);
    if (keyId !== env.PAYHUB_KEY_ID
        || Math.abs(Date.now() / 1000 - Number(at)) > WINDOW_S
        || !same(proof, Buffer.from(signature, 'base64'))) {
      return reply.code(401).send({ code: 'PH-A102' });
    }
    const pay = JSON.parse(raw);
    if (typeof pay.order_no !== 'string' || !Number.isSafeInteger(pay.amount)) {
      return reply.code(422).send({ code: 'PH-A201' });
    }
    const owner = randomBytes(16).toString('hex');
    const lock = `peer:lock:${env.PAYHUB_APP_ID}:${pay.order_no}`;
    const fence = await redis.take(lock, `peer:nonce:${keyId}:${nonce}`,
      'peer:fence', owner, 2 * WINDOW_S, LOCK_MS);
    if (fence === 'replay') return reply.code(401).send({ code: 'PH-A104' });
    if (fence === 'busy') return reply.code(409).send({ code: 'PH-A301' });
    const ids = { payment: id('P'), attempt: id('A') };
    try {
      await insertOrder(pay, raw, ids, fence);
      const [said, digest] = await call(pay, ids);
      await settleOrder(ids, said, digest, fence);
      return reply.code(201).send({ id: ids.payment, order_no: pay.order_no,
        status: 'paid', amount: pay.amount, currency: pay.currency,
        method: pay.method, channel: 'sandbox', account: env.PEER_ACCOUNT,
        channel_trade_no: said.trade_no, attempts: [{ id: ids.attempt,
          status: 'succeeded', channel_trade_no: said.trade_no }] });
    } finally {
      redis.give(lock, owner).catch(() => {});
    }
  });

  app.post('/notify', async (request, reply) => {
    const body = request.body;
    const proof = mac(sandboxKey, request.headers['sandbox-timestamp'], MARK,
      body, MARK);
    if (!same(proof, Buffer.from(request.headers['sandbox-signature'],
      'base64'))) return reply.code(400).send('no');
    const said = JSON.parse(body);
    const event = id('E');
    await transaction(async (link) => {
      const [first] = await link.query('INSERT INTO notice_seen (account_id,'
        + 'notice_id,event_id,ver) VALUES (?,?,?,0) ON DUPLICATE KEY UPDATE '
        + 'ver=ver', [env.PEER_ACCOUNT, said.notice_id, event]);
      const [rows] = await link.query('SELECT a.status,p.status AS order_status '
        + 'FROM attempt a JOIN payment p ON p.id=a.payment_id WHERE a.id=?',
      [said.out_trade_no]);
      await link.query('INSERT INTO notice_in SET ?', { id: event,
        channel: 'sandbox', account_id: env.PEER_ACCOUNT,
        notice_id: said.notice_id, attempt_id: said.out_trade_no,
        verdict: first.affectedRows !== 1 ? 'repeated'
          : rows.length && rows[0].status === 'succeeded' ? 'ignored'
            : 'conflict',
        headers: JSON.stringify(request.headers), body, created_at: now() });
    });
    return reply.type('text/plain').send('ok');
  });

  app.setErrorHandler((error, request, reply) => {
    console.error(error.message);
    reply.code(500).send({ code: 'PH-A500' });
  });
  await app.listen({ port, host: '127.0.0.1', backlog: 1024 });
  console.log('ready');
}
