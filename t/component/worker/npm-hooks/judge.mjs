// Judges webhooks as a receiver would: npm standardwebhooks for v1, node's own
// crypto for v1a and payhub-v3.  Lines of JSON in, one verdict a line out.
//   {secret, public, pem, target, headers, body, later_s}
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.argv[2] + "/");
const { Webhook } = require("standardwebhooks");
const now = Date.now;

function standard(ask) {
  Date.now = () => now() + (ask.later_s ?? 0) * 1000;
  try {
    new Webhook(ask.secret).verify(ask.body, ask.headers);
    return "good";
  } catch (error) {
    return error.message;
  } finally {
    Date.now = now;
  }
}

function rawKey(text) {
  const raw = Buffer.from(text.slice("whpk_".length), "base64");
  const head = Buffer.from("302a300506032b6570032100", "hex");
  return createPublicKey({ key: Buffer.concat([head, raw]), format: "der",
                           type: "spki" });
}

function v1a(ask) {
  const given = ask.headers["webhook-signature"].split(" ")
    .filter((one) => one.startsWith("v1a,"));
  if (given.length !== 1) return `${given.length} of them`;
  const signed = `${ask.headers["webhook-id"]}.` +
    `${ask.headers["webhook-timestamp"]}.${ask.body}`;
  return verify(null, Buffer.from(signed), rawKey(ask.public),
                Buffer.from(given[0].slice(4), "base64")) ? "good" : "bad";
}

function v3(ask) {
  const text = ask.headers.authorization;
  const field = (name) => new RegExp(`[ ,]${name}="([^"]*)"`).exec(text)[1];
  const signed = `POST\n${ask.target}\n${field("timestamp")}\n` +
    `${field("nonce")}\n${ask.body}\n`;
  return verify(null, Buffer.from(signed), createPublicKey(ask.pem),
                Buffer.from(field("signature"), "base64")) ? "good" : "bad";
}

const judges = { standard, v1a, v3 };
for (const line of readFileSync(0, "utf8").split("\n")) {
  if (line !== "") {
    const ask = JSON.parse(line);
    console.log(JSON.stringify(judges[ask.judge](ask)));
  }
}
