/*
 * paypal.mjs - PayPal's Orders v2 and Payments v2 as far as payhub uses them.
 * No SDK signs webhooks: the documented rule is written here with node's own
 * crypto, and has to give the signature of the vectors before the program
 * listens.  Money moves when an approved order is captured.
 *
 * With /_proxy it is also the way to PayPal's real names: a CONNECT proxy
 * whose every tunnel ends here, in HTTP/2 under a certificate of the test.
 */
import crypto from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import path from 'node:path'
import zlib from 'node:zlib'
import { Counterpart, Refused } from './lib.mjs'

const KEYS = process.argv[2]
const read = (...names) => fs.readFileSync(path.join(KEYS, ...names), 'utf8')
const VECTORS = JSON.parse(read('..', '..', 'paypal.json'))
const WEBHOOK_ID = VECTORS.webhooks[0].webhook_id
const LOGIN = 'Basic ' + Buffer.from(`${VECTORS.client_id}:${VECTORS.client_secret}`).toString('base64')
const CERTS = '/v1/notifications/certs/'
const EXPIRES_S = 32400
const NO_DECIMALS = new Set(['JPY', 'HUF', 'TWD'])
const certificates = new Map([
  ['CERT-genuine', { pem: read('webhook_cert.pem'), key: read('webhook_pkcs8.pem') }],
  ['CERT-evil', { pem: read('..', 'unionpay', 'evil.cer'), key: read('..', 'unionpay', 'evil_pkcs8.pem') }]
])

const refuse = (isWrong, why) => {
  if (isWrong) {
    throw new Refused(why)
  }
}

const message = (id, time, webhook, body) => `${id}|${time}|${webhook}|${zlib.crc32(body)}`
const sign = (text, key) => crypto.sign('RSA-SHA256', Buffer.from(text), key).toString('base64')

function selfCheck () {
  const { headers, body } = VECTORS.webhooks.find(one => one.name === 'valid')
  const made = sign(message(headers['PAYPAL-TRANSMISSION-ID'], headers['PAYPAL-TRANSMISSION-TIME'], WEBHOOK_ID, body),
    certificates.get('CERT-genuine').key)
  if (made !== headers['PAYPAL-TRANSMISSION-SIG']) {
    throw new Error('the vector is signed otherwise')
  }
}

function minor ({ currency_code: currency, value }) {
  refuse(!/^[A-Z]{3}$/.test(currency), `currency ${currency}`)
  refuse(!(NO_DECIMALS.has(currency) ? /^[1-9]\d*$/ : /^\d+\.\d\d$/).test(value), `value ${value} ${currency}`)
  return Number(value.replace('.', ''))
}

const told = (amount, currency) => ({
  currency_code: currency,
  value: NO_DECIMALS.has(currency) ? String(amount)
    : `${Math.floor(amount / 100)}.${String(amount % 100).padStart(2, '0')}`
})

class Fault extends Error {
  constructor (status, issue, name = 'UNPROCESSABLE_ENTITY') {
    super(issue)
    this.status = status
    this.object = { name, message: `${issue}.`, debug_id: 'f0f0f0f0f0f0f', details: [{ issue, description: issue }] }
  }
}

class PayPal {
  name = 'paypal'
  tokens = new Set()
  tokensMade = 0
  certsRead = {} /* id -> how often */
  kept = new Map() /* path + request id -> {text, answer} */
  orders = new Map() /* PayPal's id -> order */
  captures = new Map()
  refunds = new Map()
  hosts = []
  versions = new Set()
  base = null /* of certificates of the orders that come */
  made = 0

  id (head) {
    return `${head}${String(++this.made).padStart(13, '0')}X`
  }

  read (request) {
    const target = request.target
    const text = request.body.toString('utf8')
    if (target.startsWith(CERTS)) {
      return { op: 'cert', cert: target.slice(CERTS.length) }
    }
    if (target === '/v1/oauth2/token') {
      refuse(request.method !== 'POST' || request.headers.authorization !== LOGIN, 'login')
      refuse(text !== 'grant_type=client_credentials', 'grant_type')
      return { op: 'refresh' }
    }
    const [, kind, id, action] = /^\/v2\/(checkout\/orders|payments\/captures|payments\/refunds)(?:\/(\w+)(?:\/(\w+))?)?$/
      .exec(target) ?? []
    const isPost = request.method === 'POST'
    const op = {
      'checkout/orders': isPost ? { undefined: 'create', capture: 'capture' }[action] : 'query',
      'payments/captures': isPost && action === 'refund' ? 'refund' : 'capture_query',
      'payments/refunds': 'refund_query'
    }[kind]
    if (!op) {
      return null
    }
    const login = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    refuse(!login, 'no bearer')
    const requestId = request.headers['paypal-request-id']
    refuse(isPost && (!requestId || requestId.length > 108), 'paypal-request-id')
    refuse(isPost && request.headers['content-type'] !== 'application/json', 'content-type')
    refuse(isPost && request.headers.prefer !== 'return=representation', 'prefer')
    const fields = isPost && text ? JSON.parse(text) : {}
    const refund = this.refunds.get(op === 'refund_query' ? id : undefined)
    const order = refund?.order ?? this.captures.get(id) ?? this.orders.get(id)
    return {
      op,
      id,
      text,
      fields,
      order,
      refund: refund?.refund,
      key: isPost ? `${target} ${requestId}` : undefined,
      isKnown: this.tokens.has(login),
      number: order?.number ?? fields.purchase_units?.[0]?.custom_id,
      amount: op === 'create' ? minor(fields.purchase_units[0].amount) : op === 'capture' ? order?.amount : undefined
    }
  }

  perform (asked, books) {
    if (asked.op === 'cert') {
      this.certsRead[asked.cert] = (this.certsRead[asked.cert] ?? 0) + 1
      return { status: certificates.has(asked.cert) ? 200 : 404, pem: certificates.get(asked.cert)?.pem ?? '' }
    }
    if (asked.op === 'refresh') {
      const token = `A21AA${crypto.randomBytes(40).toString('base64url')}`
      this.tokens.add(token)
      this.tokensMade++
      return {
        status: 200,
        object: { scope: 'all', access_token: token, token_type: 'Bearer', app_id: 'APP-1', expires_in: EXPIRES_S, nonce: 'n' }
      }
    }
    if (!asked.isKnown) {
      return { status: 401, object: { name: 'AUTHENTICATION_FAILURE', message: 'No.', debug_id: 'f1', details: [] } }
    }
    const kept = asked.key && this.kept.get(asked.key)
    if (kept) {
      refuse(kept.text !== asked.text, 'the same request id with other content')
      return { ...kept.answer, status: 200 }
    }
    try {
      const answer = { status: asked.key ? 201 : 200, object: this.done(asked, books) }
      if (asked.key) {
        this.kept.set(asked.key, { text: asked.text, answer: structuredClone(answer) })
      }
      return answer
    } catch (error) {
      if (!(error instanceof Fault)) {
        throw error
      }
      return { status: error.status, object: error.object }
    }
  }

  done (asked, books) {
    const { op, fields, order } = asked
    if (op === 'create') {
      return this.create(fields, books)
    }
    if (!order || (op === 'refund_query' && !asked.refund)) {
      throw new Fault(404, 'INVALID_RESOURCE_ID', 'RESOURCE_NOT_FOUND')
    }
    switch (op) {
      case 'query':
        return this.orderObject(order)
      case 'capture':
        return this.capture(order, books)
      case 'capture_query':
        return this.captureObject(order)
      case 'refund':
        return this.giveBack(fields, order, books)
      default:
        return this.refundObject(order, asked.refund)
    }
  }

  create (fields, books) {
    const [unit] = fields.purchase_units ?? []
    refuse(fields.intent !== 'CAPTURE' || fields.purchase_units?.length !== 1, 'intent')
    refuse(!unit.custom_id || unit.custom_id.length > 127 || !unit.invoice_id || unit.invoice_id.length > 127, 'custom_id')
    refuse(unit.description !== undefined && unit.description.length > 127, 'description')
    const context = fields.payment_source?.paypal?.experience_context
    refuse(!context, 'experience_context is missing')
    refuse(context.user_action !== 'PAY_NOW', 'user_action')
    refuse(books.order(unit.custom_id) !== undefined, `a second order for ${unit.custom_id}`)
    const order = books.open(unit.custom_id, {
      amount: minor(unit.amount),
      currency: unit.amount.currency_code,
      id: this.id('5O'),
      invoice: unit.invoice_id,
      description: unit.description ?? null,
      context,
      state: 'PAYER_ACTION_REQUIRED',
      notifyUrl: this.counterpart.endpoint,
      certs: this.base
    })
    this.orders.set(order.id, order)
    return this.orderObject(order)
  }

  capture (order, books) {
    if (order.status === 'paid') {
      throw new Fault(422, 'ORDER_ALREADY_CAPTURED')
    }
    if (order.state !== 'APPROVED') {
      throw new Fault(422, 'ORDER_NOT_APPROVED')
    }
    if (order.declines > 0) {
      order.declines--
      order.state = 'PAYER_ACTION_REQUIRED'
      throw new Fault(422, 'INSTRUMENT_DECLINED')
    }
    order.capture = this.id('2G')
    this.captures.set(order.capture, order)
    order.state = 'COMPLETED'
    if (order.slow) {
      order.captureState = 'PENDING'
    } else {
      order.captureState = 'COMPLETED'
      books.pay(order.number)
    }
    return this.orderObject(order)
  }

  giveBack (fields, order, books) {
    const number = fields.invoice_id
    refuse(!number, 'invoice_id is missing')
    const amount = minor(fields.amount)
    refuse(fields.amount.currency_code !== order.currency, 'currency')
    refuse(order.refunds.has(number), `a second refund ${number}`)
    if (order.captureState === 'PENDING') {
      throw new Fault(422, 'PENDING_CAPTURE')
    }
    if (books.refunded(order) === order.amount) {
      throw new Fault(422, 'CAPTURE_FULLY_REFUNDED')
    }
    if (amount > order.amount - books.refunded(order)) {
      throw new Fault(422, 'REFUND_AMOUNT_EXCEEDED')
    }
    const refund = books.refund(order, number, amount)
    refund.id = this.id('1J')
    refund.notifyUrl = order.notifyUrl
    if (order.slow) {
      refund.status = 'pending'
    }
    this.refunds.set(refund.id, { order, refund })
    return this.refundObject(order, refund)
  }

  link (rel, kind, id, method = 'GET') {
    return { rel, href: `https://api.sandbox.paypal.com/v2/${kind}/${id}`, method }
  }

  captureObject (order) {
    const back = [...order.refunds.values()].reduce((sum, one) => sum + one.amount, 0)
    return {
      id: order.capture,
      status: order.captureState !== 'COMPLETED' || !back ? order.captureState
        : back === order.amount ? 'REFUNDED' : 'PARTIALLY_REFUNDED',
      amount: told(order.amount, order.currency),
      final_capture: true,
      invoice_id: order.invoice,
      custom_id: order.number,
      links: [this.link('self', 'payments/captures', order.capture), this.link('up', 'checkout/orders', order.id)],
      create_time: '2026-11-23T02:01:53Z',
      update_time: '2026-11-23T02:01:53Z'
    }
  }

  orderObject (order) {
    const unit = {
      reference_id: 'default',
      amount: told(order.amount, order.currency),
      payee: { email_address: 'shop@example.com', merchant_id: 'MERCHANT0001' },
      description: order.description ?? undefined,
      custom_id: order.number,
      invoice_id: order.invoice
    }
    if (order.capture) {
      unit.payments = { captures: [this.captureObject(order)] }
    }
    return {
      id: order.id,
      intent: 'CAPTURE',
      status: order.state,
      purchase_units: [unit],
      create_time: '2026-11-23T02:01:50Z',
      links: [this.link('self', 'checkout/orders', order.id),
        ...(order.state === 'PAYER_ACTION_REQUIRED'
          ? [{ rel: 'payer-action', href: `https://www.sandbox.paypal.com/checkoutnow?token=${order.id}`, method: 'GET' }]
          : [])]
    }
  }

  refundObject (order, refund) {
    return {
      id: refund.id,
      status: { succeeded: 'COMPLETED', pending: 'PENDING', failed: 'FAILED', canceled: 'CANCELLED' }[refund.status],
      amount: told(refund.amount, order.currency),
      ...(refund.isForeign ? {} : { invoice_id: refund.number }),
      custom_id: order.number,
      seller_payable_breakdown: {
        gross_amount: told(refund.amount, order.currency),
        total_refunded_amount: told([...order.refunds.values()].filter(one => one.status === 'succeeded')
          .reduce((sum, one) => sum + one.amount, 0), order.currency)
      },
      create_time: '2026-11-23T02:02:53Z',
      links: [this.link('self', 'payments/refunds', refund.id), this.link('up', 'payments/captures', order.capture)]
    }
  }

  bend (object, bend) {
    const all = structuredClone(object)
    const unit = all.purchase_units?.[0]
    const paid = unit?.payments?.captures[0]
    const places = [all, unit, paid].filter(Boolean)
    if (bend === 'wrong_amount') {
      for (const place of places.filter(one => one.amount)) {
        place.amount.value = place.amount.value.replace(/^\d+/, whole => String(Number(whole) + 1))
      }
    } else if (bend === 'wrong_currency') {
      places.filter(one => one.amount).forEach(one => { one.amount.currency_code = 'EUR' })
    } else if (bend === 'wrong_order') {
      places.filter(one => one.custom_id).forEach(one => {
        one.custom_id = one.invoice_id = 'A0000000000000000000000000'
      })
    } else if (bend === 'unknown_status') {
      places.filter(one => one.status).forEach(one => { one.status = 'TELEPORTED' })
    } else if (bend === 'real_amount') {
      return JSON.stringify(all).replace(/"value":"([\d.]+)"/g, '"value":$1')
    } else if (bend === 'long_amount') {
      return JSON.stringify(all).replace(/"value":"([\d.]+)"/g, '"value":"$10"')
    }
    return JSON.stringify(all)
  }

  dress (plain, asked, bend) {
    if (asked.op === 'cert') {
      return { status: plain.status, headers: { 'content-type': 'application/x-pem-file' }, body: plain.pem }
    }
    let { status, object } = plain
    if (bend === 'unknown_code') {
      ({ status, object } = new Fault(422, 'ODD_ISSUE', 'ODD_NAME'))
    } else if (bend === 'odd_issue') {
      ({ status, object } = new Fault(422, 'ODD_ISSUE'))
    } else if (bend === 'conflict') {
      ({ status, object } = new Fault(409, 'PREVIOUS_REQUEST_IN_PROGRESS', 'RESOURCE_CONFLICT'))
    }
    return {
      status,
      headers: { 'content-type': 'application/json', 'paypal-debug-id': 'f2f2f2f2f2f2f' },
      body: this.bend(object, bend)
    }
  }

  broken (fault) {
    const [name, issue] = { http401: ['AUTHENTICATION_FAILURE', ''], http429: ['RATE_LIMIT_REACHED', ''] }[fault] ?? []
    return name && {
      status: Number(fault.slice(4)),
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, message: name, debug_id: 'f3', details: issue ? [{ issue }] : [] })
    }
  }

  notice (order, refund, bend) {
    const type = bend?.startsWith('type:') ? bend.slice(5)
      : refund ? (refund.status === 'failed' ? 'PAYMENT.REFUND.FAILED' : 'PAYMENT.CAPTURE.REFUNDED')
        : order.capture ? `PAYMENT.CAPTURE.${order.captureState}` : 'CHECKOUT.ORDER.APPROVED'
    let resource = refund ? this.refundObject(order, refund)
      : /^CHECKOUT/.test(type) ? this.orderObject(order)
        : { ...this.captureObject(order), supplementary_data: { related_ids: { order_id: order.id } } }
    resource = JSON.parse(this.bend(resource, bend))
    const body = JSON.stringify({
      id: `WH-${order.id}-${refund?.id ?? ''}-${type}`,
      event_version: '1.0',
      create_time: '2026-11-23T02:01:53.106Z',
      resource_type: refund ? 'refund' : /^CHECKOUT/.test(type) ? 'checkout-order' : 'capture',
      resource_version: '2.0',
      event_type: type,
      summary: type,
      resource
    })
    const certId = { evil_cert: 'CERT-evil', tls_cert: 'CERT-tls' }[bend] ?? 'CERT-genuine'
    const base = { host: 'https://api.paypal.com.evil.example', other_path: `${order.certs}/evil` }[bend] ?? order.certs
    const id = crypto.randomUUID()
    const time = new Date().toISOString().replace(/\.\d+/, '')
    const webhook = bend === 'other_webhook' ? '8PT597110X687430LKGEOTHER' : WEBHOOK_ID
    const key = bend === 'other_key' ? certificates.get('CERT-evil').key : certificates.get(certId).key
    const headers = {
      'content-type': 'application/json',
      'paypal-transmission-id': id,
      'paypal-transmission-time': time,
      'paypal-transmission-sig': sign(message(id, time, webhook, body), key),
      'paypal-cert-url': base + CERTS + certId,
      'paypal-auth-algo': bend === 'algo' ? 'SHA1withRSA' : 'SHA256withRSA'
    }
    if (bend === 'no_sign') {
      delete headers['paypal-transmission-sig']
    } else if (bend === 'no_cert') {
      delete headers['paypal-cert-url']
    }
    return { headers, body: bend === 'tampered' ? body.replace('"1.0"', '"1.1"') : body }
  }

  /* PayPal's own: it has no number of ours, and tells the sum */
  consoleRefund (order, refund) {
    Object.assign(refund, { id: this.id('1J'), isForeign: true, notifyUrl: order.notifyUrl })
    this.refunds.set(refund.id, { order, refund })
  }

  async door (path, asked, counterpart) {
    const order = counterpart.books.order(asked.number)
    switch (path) {
      case '/_endpoint':
        counterpart.endpoint = asked.url
        this.base = asked.base
        return {}
      case '/_approve':
        if (!order) {
          return { error: 'no such order' }
        }
        if (order.state === 'PAYER_ACTION_REQUIRED') {
          order.state = 'APPROVED'
        }
        return asked.silent ? { order: order.state } : await counterpart.notify(order, undefined, asked.bend, asked.copies)
      case '/_capture': /* what must not happen, and does */
        order.state = 'APPROVED'
        this.capture(order, counterpart.books)
        return {}
      case '/_slow':
        order.slow = true
        return {}
      case '/_decline':
        order.declines = 1
        return {}
      case '/_settle': /* a refund, or the pending capture */
        if (asked.refund) {
          order.refunds.get(asked.refund).status = asked.status
        } else {
          order.captureState = asked.status
          if (asked.status === 'COMPLETED') {
            counterpart.books.pay(order.number)
          }
        }
        return {}
      case '/_expire': /* every token at once */
        this.tokens.clear()
        return {}
      case '/_cert':
        certificates.set(asked.id, { pem: asked.pem, key: asked.key })
        return {}
      case '/_counts':
        return { tokens: this.tokensMade, certs: this.certsRead, hosts: this.hosts, versions: [...this.versions] }
      case '/_proxy':
        return await this.proxy(asked, counterpart)
    }
  }

  /* Tunnels to PayPal's names end here, and nowhere else. */
  async proxy ({ port, key, cert, names }, counterpart) {
    const inner = http2.createSecureServer({ key, cert, allowHTTP1: true }, (request, reply) => {
      this.versions.add(request.httpVersion)
      counterpart.serve(request, reply).catch(() => reply.stream?.destroy())
    })
    await new Promise(resolve => inner.listen(0, '127.0.0.1', resolve))
    const outer = http.createServer((request, reply) => reply.writeHead(405).end())
    outer.on('connect', (request, socket, head) => {
      this.hosts.push(request.url)
      if (!names.some(name => request.url === `${name}:443`)) {
        socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
        return
      }
      const end = net.connect(inner.address().port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        end.write(head)
        socket.pipe(end).pipe(socket)
      })
      end.on('error', () => socket.destroy())
      socket.on('error', () => end.destroy())
    })
    await new Promise((resolve, reject) => outer.on('error', reject).listen(port, '127.0.0.1', resolve))
    return {}
  }
}

selfCheck()
const paypal = new PayPal()
const counterpart = new Counterpart(paypal)
paypal.counterpart = counterpart
counterpart.listen()
