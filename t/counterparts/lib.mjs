/*
 * lib.mjs - what the counterparts share: a channel that listens on loopback,
 * keeps its books, and misbehaves when it is told to.
 *
 * A counterpart gives an object:
 *   name      of the channel
 *   read      (request) -> {op, number, refund, ...} or null for no such path;
 *             throws Refused when the channel's own SDK refuses the request
 *   perform   (asked, books) -> plain answer; the only place that moves money.
 *             asked.fault is the knob's word: a channel may have some of its own
 *   dress     (answer, asked, bend) -> {status, headers, body}; bend names the
 *             fault of the answer, or is undefined
 *   notice    (order, refund, bend) -> {headers, body} for the order's address;
 *             the bend "replay" never reaches it: the last one is sent again
 *   broken    (fault) -> the channel's own words of a refusal of BEFORE, or
 *             undefined; may be absent
 *   consoleRefund (order, refund) -> what a refund has that payhub did not ask
 *             for; may be absent
 *   door      (path, asked, counterpart) -> answer of a door of its own, or
 *             undefined; may be absent
 * request is {method, target, headers, body (Buffer)}.
 */
import fs from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'

export const BODY_MAX = 1 << 20
export const BIG = 10 << 20
const SESSION_MB = 1000

export class Refused extends Error {}

/* op names: create query close reverse refund refund_query refresh */
const BEFORE = new Set(['drop_before', 'http500_before', 'http401', 'http429', 'hang_before'])
const AFTER = new Set(['drop_after', 'http500_after', 'hang_after', 'delay'])

export class Books {
  constructor () {
    this.orders = new Map()
  }

  order (number) {
    return this.orders.get(number)
  }

  /* The same number again is the same order: how often it was asked for. */
  open (number, fields) {
    let order = this.orders.get(number)
    if (!order) {
      order = { number, status: 'open', charges: 0, refunds: new Map(), asked: 0, ...fields }
      this.orders.set(number, order)
    }
    order.asked++
    return order
  }

  pay (number) {
    const order = this.orders.get(number)
    if (order && order.status === 'open') {
      order.status = 'paid'
      order.charges++
      order.paidAt = Date.now()
    }
    return order
  }

  refund (order, number, amount) {
    let refund = order.refunds.get(number)
    if (!refund) {
      refund = { number, amount, times: 0, status: 'succeeded' }
      order.refunds.set(number, refund)
      refund.times++
    }
    return refund
  }

  refunded (order) {
    return [...order.refunds.values()].filter(one => one.status === 'succeeded')
      .reduce((sum, one) => sum + one.amount, 0)
  }

  toJSON () {
    return Object.fromEntries([...this.orders].map(([number, order]) => [number,
      { ...order, refunds: Object.fromEntries(order.refunds) }]))
  }
}

const turn = () => new Promise(resolve => setImmediate(resolve))

function body (request) {
  return new Promise((resolve, reject) => {
    const parts = []
    let length = 0
    request.on('data', part => {
      length += part.length
      if (length > BODY_MAX) {
        reject(new Error('too long'))
        request.destroy()
      }
      parts.push(part)
    })
    request.on('end', () => resolve(Buffer.concat(parts)))
    request.on('error', reject)
    /* of HTTP/2 "end" would follow, over what had come so far */
    request.on('aborted', () => reject(new Error('given up')))
  })
}

export class Counterpart {
  constructor (channel) {
    this.channel = channel
    this.books = new Books()
    this.knobs = [] /* {op, fault, times, ms} */
    this.sent = new Map() /* the last notice by "number/refund" */
    this.refused = [] /* what the SDK did not accept */
    this.gone = 0 /* requests whose client had left */
    this.notices = [] /* {number, refund, bend, status, body} */
    this.seen = [] /* {op, number, fault, at, http, agent} */
  }

  /* A knob may name whose order it means: by our number, or by an amount. */
  take (asked) {
    const at = this.knobs.findIndex(knob => (knob.op === asked.op || knob.op === '*') &&
      ['number', 'amount'].every(key => knob[key] === undefined || String(knob[key]) === String(asked[key])))
    if (at < 0) {
      return undefined
    }
    const knob = this.knobs[at]
    if (--knob.times <= 0) {
      this.knobs.splice(at, 1)
    }
    return knob
  }

  /* The answer as it leaves: null = the connection is cut. */
  async answer (request) {
    const asked = this.channel.read(request)
    if (asked === null) {
      return { status: 404, headers: {}, body: 'no such path' }
    }
    const knob = this.take(asked)
    const fault = knob?.fault
    asked.fault = fault
    const agent = request.headers['user-agent']
    this.seen.push({ op: asked.op, number: asked.number, fault, at: Date.now(), http: request.version, agent })
    if (BEFORE.has(fault)) {
      return this.channel.broken?.(fault) ?? this.broken(fault)
    }
    const plain = this.channel.perform(asked, this.books)
    if (fault === 'delay') {
      await new Promise(resolve => setTimeout(resolve, knob.ms ?? 1000))
    }
    if (AFTER.has(fault) && fault !== 'delay') {
      return this.broken(fault)
    }
    const bend = AFTER.has(fault) ? undefined : fault
    const dressed = this.channel.dress(plain, asked, bend)
    switch (bend) {
      case 'truncated':
        return { ...dressed, body: Buffer.from(dressed.body).subarray(0, Buffer.byteLength(dressed.body) / 2) }
      case 'html':
        return { status: 200, headers: { 'content-type': 'text/html' }, body: '<html><body>Bad Gateway</body></html>' }
      case 'empty':
        return { ...dressed, body: '' }
      case 'big':
        return { ...dressed, body: Buffer.alloc(BIG, 0x20) }
      case 'deep':
        return { ...dressed, body: '['.repeat(100000) + ']'.repeat(100000) }
    }
    return dressed
  }

  broken (fault) {
    if (fault.startsWith('drop')) {
      return null
    }
    if (fault.startsWith('hang')) {
      return undefined
    }
    return { status: { http401: 401, http429: 429 }[fault] ?? 500, headers: {}, body: '' }
  }

  /* Sends one notice; what the gateway answered. */
  async notify (order, refund, bend, copies = 1) {
    const url = refund?.notifyUrl ?? order.notifyUrl
    if (!url) {
      return []
    }
    const key = `${order.number}/${refund?.number ?? ''}`
    const made = bend === 'replay' ? this.sent.get(key) : this.channel.notice(order, refund, bend)
    this.sent.set(key, made)
    const told = await Promise.all(Array.from({ length: copies }, async () => {
      const answer = await fetch(made.url ?? url, { method: 'POST', headers: made.headers, body: made.body })
      return { number: order.number, refund: refund?.number, bend, status: answer.status, body: await answer.text() }
    }))
    this.notices.push(...told)
    return told
  }

  /* The test's own door. */
  async control (path, asked) {
    switch (path) {
      case '/_knob':
        this.knobs.push({ op: '*', times: 1, ...asked })
        return {}
      case '/_unknob':
        this.knobs = []
        return {}
      case '/_pay': {
        const order = this.books.pay(asked.number)
        if (!order) {
          return { error: 'no such order' }
        }
        return asked.silent ? { order: order.status } : await this.notify(order, undefined, asked.bend, asked.copies)
      }
      case '/_notice': {
        const order = this.books.order(asked.number)
        const refund = asked.refund && order.refunds.get(asked.refund)
        return await this.notify(order, refund, asked.bend, asked.copies)
      }
      case '/_set': {
        const { number, ...fields } = asked
        return Object.assign(this.books.order(number), fields)
      }
      case '/_console_refund': { /* a person, at the channel's own console */
        const order = this.books.order(asked.number)
        const refund = this.books.refund(order, `CONSOLE${order.refunds.size}0000${order.number.slice(-9)}`, asked.amount)
        this.channel.consoleRefund?.(order, refund)
        return refund
      }
      case '/_books':
        return this.books
      case '/_seen':
        return { seen: this.seen, refused: this.refused, gone: this.gone, notices: this.notices }
      default:
        return (await this.channel.door?.(path, asked, this)) ?? { error: 'no such door' }
    }
  }

  async serve (request, reply) {
    let bytes
    try {
      bytes = await body(request)
    } catch {
      return
    }
    if (request.url.startsWith('/_')) {
      const text = JSON.stringify(await this.control(request.url, bytes.length ? JSON.parse(bytes) : {}))
      reply.writeHead(200, { 'content-type': 'application/json' }).end(text)
      return
    }
    /* Who gave up before it was begun has asked nothing: on a busy machine a
     * connection can wait here longer than its client does, and answers to
     * queries on another may come first.  The end of what came is read one turn
     * of the loop behind it. */
    await turn()
    await turn()
    const link = request.stream ?? request.socket
    if (link.destroyed || link.closed || (!request.stream && link.readableEnded)) {
      this.gone++
      return
    }
    let answer
    try {
      answer = await this.answer({
        method: request.method,
        target: request.url,
        headers: request.headers,
        body: bytes,
        version: request.httpVersion
      })
    } catch (error) {
      this.refused.push({ target: request.url, why: String(error.message ?? error), length: bytes.length })
      if (!(error instanceof Refused)) {
        process.stderr.write(`${error.stack}\n`)
      }
      answer = { status: 400, headers: {}, body: String(error.message ?? error) }
    }
    if (answer === null && request.stream) {
      /* of HTTP/2 the stream alone: others are on that connection */
      request.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR)
    } else if (answer === null) {
      request.socket.destroy()
    } else if (answer !== undefined) {
      reply.writeHead(answer.status, answer.headers).end(answer.body)
    }
  }

  /* Prints {"port": N} once it listens; ends with its standard input.  With
   * COUNTERPART_CERT and _KEY it speaks TLS, HTTP/2 to those who can. */
  listen () {
    const serve = (request, reply) => {
      this.serve(request, reply).catch(error => {
        process.stderr.write(`${error.stack}\n`)
        reply.destroy()
      })
    }
    const { COUNTERPART_CERT: cert, COUNTERPART_KEY: key } = process.env
    this.protocol = cert ? 'https' : 'http'
    /* a `big` answer over the session's memory would refuse innocent streams */
    const server = cert
      ? http2.createSecureServer({
        cert: fs.readFileSync(cert),
        key: fs.readFileSync(key),
        allowHTTP1: true,
        maxSessionMemory: SESSION_MB
      }, serve)
      : http.createServer(serve)
    server.listen(0, '127.0.0.1', () => {
      this.port = server.address().port
      process.stdout.write(JSON.stringify({ port: this.port }) + '\n')
    })
    process.stdin.on('end', () => process.exit(0)).resume()
  }
}
