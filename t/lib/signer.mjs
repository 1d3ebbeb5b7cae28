/*
 * signer.mjs - node's own crypto behind a line protocol, for tests that play a
 * channel in Python: {key, text} is signed with RSA and SHA-256, {seal, nonce,
 * aad, text} encrypted by AES-256-GCM; key files by path, texts in base64.
 */
import crypto from 'node:crypto'
import fs from 'node:fs'
import readline from 'node:readline'

const keys = new Map()
const keyOf = path => {
  if (!keys.has(path)) {
    keys.set(path, crypto.createPrivateKey(fs.readFileSync(path)))
  }
  return keys.get(path)
}

function answer ({ key, seal, nonce, aad, text }) {
  const bytes = Buffer.from(text, 'base64')
  if (key !== undefined) {
    return crypto.sign('RSA-SHA256', bytes, keyOf(key))
  }
  const cipher = crypto.createCipheriv('aes-256-gcm', seal, nonce)
  cipher.setAAD(Buffer.from(aad))
  return Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  process.stdout.write(answer(JSON.parse(line)).toString('base64') + '\n')
}
