/*
 * contend.mjs - holders of one lock, of several makes, that take turns; one
 * JSON line of what came of it.
 *
 *   node contend.mjs '{"socket", "key", "ttl", "rounds", "payhub",
 *                      "holders": {"redlock4": 4, "payhub-string": 4, ...}}'
 *
 * A turn counts who is inside, reads a number, waits a moment and writes the
 * number plus one: two holders at a time are seen twice over.  Modules come
 * from the folder in $MODULES.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.MODULES + "/package.json");
const Redis = require("ioredis");
const asked = JSON.parse(process.argv[2]);
const links = [];
const connect = () => {
  const link = new Redis(asked.socket);
  links.push(link);
  return link;
};
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const guard = connect();

const ENTER = `local n = redis.call('incr', 'turn:busy')
if n ~= 1 then redis.call('incr', 'turn:overlaps') end
return redis.call('get', 'turn:count') or '0'`;
const LEAVE = `redis.call('set', 'turn:count', ARGV[1] + 1)
return redis.call('decr', 'turn:busy')`;

async function turn() {
  const count = await guard.eval(ENTER, 0);
  await pause(Math.random() * 2);
  await guard.eval(LEAVE, 0, count);
}

async function redlock4(rounds) {
  const Redlock = require("redlock4");
  const locks = new Redlock([connect()],
    { retryCount: -1, retryDelay: 15, retryJitter: 10 });
  for (let i = 0; i < rounds; i++) {
    const lock = await locks.lock(asked.key, asked.ttl);
    await turn();
    await lock.unlock();
  }
}

async function redlock5(rounds) {
  const { default: Redlock } = require("redlock5");
  const locks = new Redlock([connect()],
    { retryCount: -1, retryDelay: 15, retryJitter: 10 });
  for (let i = 0; i < rounds; i++) {
    const lock = await locks.acquire([asked.key], asked.ttl);
    await turn();
    await lock.release();
  }
}

async function universal(rounds) {
  const path = require.resolve("redlock-universal");
  const { createLock, IoredisAdapter } = await import(pathToFileURL(path));
  for (let i = 0, adapter = new IoredisAdapter(connect()); i < rounds; i++) {
    const lock = createLock({ adapter, key: asked.key, ttl: asked.ttl,
      retryAttempts: 100000, retryDelay: 20 });
    const handle = await lock.acquire();
    await turn();
    await lock.release(handle);
  }
}

/* RLock of Redisson, by the scripts of its source. */
const TAKE = `if ((redis.call('exists', KEYS[1]) == 0)
 or (redis.call('hexists', KEYS[1], ARGV[2]) == 1)) then
 redis.call('hincrby', KEYS[1], ARGV[2], 1);
 redis.call('pexpire', KEYS[1], ARGV[1]); return nil; end;
return redis.call('pttl', KEYS[1]);`;
const GIVE = `if (redis.call('hexists', KEYS[1], ARGV[3]) == 0) then
 return nil; end;
local counter = redis.call('hincrby', KEYS[1], ARGV[3], -1);
if (counter > 0) then redis.call('pexpire', KEYS[1], ARGV[2]); return 0;
else redis.call('del', KEYS[1]); redis.call('publish', KEYS[2], ARGV[1]);
 return 1; end; return nil;`;

async function redisson(rounds, number) {
  const link = connect();
  const ears = connect();
  const me = `${randomUUID()}:${number + 1}`;
  const channel = asked.key.includes("{") ? asked.key : `{${asked.key}}`;
  const told = `redisson_lock__channel:${channel}`;
  let wake = () => {};
  await ears.subscribe(told);
  ears.on("message", () => wake());
  for (let i = 0; i < rounds; i++) {
    for (;;) {
      const woken = new Promise((done) => { wake = done; });
      const left = await link.eval(TAKE, 1, asked.key, asked.ttl, me);
      if (left === null) {
        break;
      }
      /* as RLock does: until told, or the lock's life ends */
      await Promise.race([woken, pause(Math.max(left, 1))]);
    }
    await turn();
    const given = await link.eval(GIVE, 2, asked.key, told, 0, asked.ttl, me);
    if (given !== 1) {
      throw new Error(`unlock of Redisson's layout: ${given}`);
    }
  }
}

/* The program, with a shell that takes the turn. */
function payhub(layout) {
  const redis = `redis-cli -s ${asked.socket}`;
  const command = `v=$(${redis} EVAL "$ENTER" 0) || exit 1
${redis} EVAL "$LEAVE" 0 "$v" >/dev/null`;

  return async (rounds) => {
    for (let i = 0; i < rounds; i++) {
      const child = spawn(asked.payhub, ["lock", asked.key, String(asked.ttl),
        "--layout", layout, "--", "sh", "-c", command],
      { stdio: ["ignore", "ignore", "inherit"],
        env: { ...process.env, REDIS_URL: `unix:${asked.socket}`,
          ENTER, LEAVE } });
      const code = await new Promise((done) => child.on("close", done));
      if (code !== 0) {
        throw new Error(`payhub lock: exit ${code}`);
      }
    }
  };
}

/* Takes no lock: what the counting must notice. */
async function careless(rounds) {
  for (let i = 0; i < rounds; i++) {
    await turn();
  }
}

const makes = { careless, redlock4, redlock5, universal, redisson,
  "payhub-string": payhub("string"), "payhub-redisson": payhub("redisson") };

const began = Date.now();
const jobs = [];
let turns = 0;
const by = {};
for (const [name, count] of Object.entries(asked.holders)) {
  for (let i = 0; i < count; i++) {
    jobs.push(makes[name](asked.rounds, i).then(() => {
      turns += asked.rounds;
      by[name] = (by[name] ?? 0) + asked.rounds;
    }));
  }
}
const faults = (await Promise.allSettled(jobs))
  .filter((one) => one.status === "rejected")
  .map((one) => String(one.reason?.stack ?? one.reason));
console.log(JSON.stringify({
  turns, by, faults,
  overlaps: Number(await guard.get("turn:overlaps")),
  count: Number(await guard.get("turn:count")),
  busy: Number(await guard.get("turn:busy")),
  left: await guard.exists(asked.key),
  ms: Date.now() - began,
}));
links.forEach((link) => link.disconnect());
