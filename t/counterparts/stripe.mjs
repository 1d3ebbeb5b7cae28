/*
 * stripe.mjs - Stripe's API as far as payhub uses it.  The official client
 * (`stripe`) makes and reads objects at this same server, so what is taken
 * here is what it sends, and what is answered here is what it understands;
 * webhooks are signed by its own test signer and checked by its own reader
 * before they leave.
 */
import Stripe from 'stripe'
import { Counterpart, Refused } from './lib.mjs'

const KEY = 'sk_test_payhubpublic0001'
const VERSION = Stripe.API_VERSION ?? '2026-10-28.endive'
const SECRETS = { ours: 'whsec_test_secret_public', other_key: 'whsec_of_another_endpoint' }
const TOLERANCE = 300
const stripe = new Stripe(KEY)

const refuse = (isWrong, why) => {
  if (isWrong) {
    throw new Refused(why)
  }
}
const now = () => Math.floor(Date.now() / 1000)

/* a[b]=c, a[0]=c */
function formOf (text) {
  const out = {}
  for (const [name, value] of new URLSearchParams(text)) {
    const path = name.split(/[[\]]+/).filter(Boolean)
    const last = path.pop()
    const at = path.reduce((object, key) => (object[key] ??= {}), out)
    refuse(last in at, `${name} stands twice`)
    at[last] = value
  }
  return out
}

/* An error as Stripe words it; its status, and whether the key keeps it. */
class Fault extends Error {
  constructor (status, type, code, more = {}) {
    super(code)
    this.status = status
    this.error = { type, code, message: `${code}.`, doc_url: 'https://stripe.example/' + code, ...more }
  }
}

class StripeServer {
  name = 'stripe'
  intents = new Map() /* pi_ -> order */
  refunds = new Map() /* re_ -> {order, refund} */
  keys = new Map() /* idempotency key -> {path, text, answer} */
  made = 0
  secret = SECRETS.ours /* of the endpoint's events about new intents */
  counterpart = null

  id (prefix) {
    return `${prefix}_3Payhub${String(++this.made).padStart(10, '0')}`
  }

  read (request) {
    const at = new URL(request.target, 'http://stripe')
    const path = at.pathname
    const intent = /^\/v1\/payment_intents\/(pi_\w+)(?:\/(confirm|cancel))?$/.exec(path)
    const refund = /^\/v1\/refunds\/(re_\w+)$/.exec(path)
    const isPost = request.method === 'POST'
    if (!intent && !refund && !['/v1/payment_intents', '/v1/refunds'].includes(path)) {
      return null
    }
    const headers = request.headers
    refuse(headers.authorization !== `Bearer ${KEY}`, 'authorization')
    refuse(headers['stripe-version'] !== VERSION, `version ${headers['stripe-version']}`)
    const text = request.body.toString('utf8')
    refuse(isPost && headers['content-type'] !== 'application/x-www-form-urlencoded', 'content-type')
    refuse(!isPost && text !== '', 'a GET with a body')
    const key = isPost ? headers['idempotency-key'] : undefined
    refuse(isPost && (!key || key.length > 255), 'idempotency-key')
    const asked = { path, isPost, text, key, fields: isPost ? formOf(text) : Object.fromEntries(at.searchParams) }
    const found = intent ? this.intents.get(intent[1]) : this.intents.get(asked.fields.payment_intent)
    asked.order = found ?? this.refunds.get(refund?.[1])?.order
    asked.refund = this.refunds.get(refund?.[1])?.refund
    asked.op = intent ? (isPost ? { confirm: 'confirm', cancel: 'close' }[intent[2]] : 'query')
      : path === '/v1/payment_intents' ? 'create' : isPost ? 'refund' : 'refund_query'
    asked.number = asked.order?.number ?? asked.fields.metadata?.out_trade_no
    asked.amount = asked.fields.amount ?? (asked.op === 'confirm' ? asked.order?.amount : undefined)
    refuse(asked.op === undefined, `${request.method} ${path}`)
    return asked
  }

  perform (asked, books) {
    const kept = asked.key && this.keys.get(asked.key)
    if (kept) {
      if (kept.path !== asked.path || kept.text !== asked.text) {
        return { status: 400, error: { type: 'idempotency_error', message: 'The same key, other parameters.' } }
      }
      return { ...kept.answer, isReplay: true }
    }
    let answer
    try {
      answer = { status: 200, make: this.done(asked, books) }
    } catch (error) {
      if (!(error instanceof Fault)) {
        throw error
      }
      answer = { status: error.status, error: error.error }
    }
    /* what was only refused is not kept */
    if (asked.key && (answer.status === 200 || answer.status === 402)) {
      /* a replay tells what was told, not what is */
      const made = answer.make?.()
      this.keys.set(asked.key, {
        path: asked.path, text: asked.text, answer: { ...answer, make: made && (() => made) }
      })
    }
    return answer
  }

  /* Makes the change now; the object is made when it is asked for. */
  done (asked, books) {
    const { op, fields, order } = asked
    if (op === 'create') {
      return this.create(fields, books)
    }
    if (op === 'refund') {
      return this.giveBack(fields, order, books)
    }
    if (op === 'refund_query') {
      if (!asked.refund && asked.path !== '/v1/refunds') {
        throw new Fault(404, 'invalid_request_error', 'resource_missing')
      }
      return () => asked.refund ? this.refundObject(order, asked.refund) : {
        object: 'list',
        url: '/v1/refunds',
        has_more: false,
        data: order ? [...order.refunds.values()].map(one => this.refundObject(order, one)) : []
      }
    }
    if (!order) {
      throw new Fault(404, 'invalid_request_error', 'resource_missing', { param: 'intent' })
    }
    if (op === 'confirm') {
      this.confirm(fields, order, books)
    } else if (op === 'close') {
      if (order.status !== 'open') {
        throw new Fault(400, 'invalid_request_error', 'payment_intent_unexpected_state',
          { payment_intent: this.intentObject(order) })
      }
      order.status = 'closed'
    }
    return () => this.intentObject(order)
  }

  create (fields, books) {
    refuse(!/^[1-9]\d{0,11}$/.test(fields.amount ?? ''), `amount ${fields.amount}`)
    refuse(!/^[a-z]{3}$/.test(fields.currency ?? ''), `currency ${fields.currency}`)
    refuse(fields.confirm === 'true', 'confirm in a create moves money')
    refuse(fields.capture_method !== undefined && fields.capture_method !== 'automatic', 'capture_method')
    const number = fields.metadata?.out_trade_no
    refuse(!number, 'metadata[out_trade_no] is missing')
    refuse(books.order(number) !== undefined, `a second intent for ${number}`)
    const order = books.open(number, {
      amount: Number(fields.amount),
      currency: fields.currency,
      intent: this.id('pi'),
      method: fields.payment_method ?? null,
      description: fields.description ?? null,
      customer: fields.customer ?? null,
      metadata: fields.metadata,
      notifyUrl: this.counterpart.endpoint,
      secret: this.secret
    })
    this.intents.set(order.intent, order)
    return () => this.intentObject(order)
  }

  confirm (fields, order, books) {
    const method = fields.payment_method ?? order.method
    if (order.status !== 'open') {
      throw new Fault(400, 'invalid_request_error', 'payment_intent_unexpected_state')
    }
    if (method === 'pm_card_chargeDeclined') {
      order.lastError = { type: 'card_error', code: 'card_declined', decline_code: 'generic_decline', message: 'Declined.' }
      throw new Fault(402, 'card_error', 'card_declined',
        { decline_code: 'generic_decline', payment_intent: this.intentObject(order) })
    }
    if (method === 'pm_card_authenticationRequired') {
      refuse(!fields.return_url, 'return_url is missing')
      order.redirect = 'https://hooks.stripe.example/3ds?a=b&c=d'
      return
    }
    refuse(method !== 'pm_card_visa', `payment_method ${method}`)
    books.pay(order.number)
  }

  giveBack (fields, order, books) {
    if (!order) {
      throw new Fault(404, 'invalid_request_error', 'resource_missing')
    }
    refuse(!/^[1-9]\d{0,11}$/.test(fields.amount ?? ''), `amount ${fields.amount}`)
    const number = fields.metadata?.out_refund_no
    refuse(!number, 'metadata[out_refund_no] is missing')
    refuse(order.refunds.has(number), `a second refund ${number}`)
    if (order.status !== 'paid' || books.refunded(order) === order.amount) {
      throw new Fault(400, 'invalid_request_error', 'charge_already_refunded')
    }
    if (Number(fields.amount) > order.amount - books.refunded(order)) {
      throw new Fault(400, 'invalid_request_error', 'amount_too_large', { param: 'amount' })
    }
    const refund = books.refund(order, number, Number(fields.amount))
    refund.id = this.id('re')
    refund.notifyUrl = order.notifyUrl
    if (order.slow) {
      refund.status = 'pending'
    }
    this.refunds.set(refund.id, { order, refund })
    return () => this.refundObject(order, refund)
  }

  intentObject (order) {
    const open = order.redirect ? 'requires_action'
      : order.method ? 'requires_confirmation' : 'requires_payment_method'
    const status = { open, paid: 'succeeded', closed: 'canceled' }[order.status]
    return {
      id: order.intent,
      object: 'payment_intent',
      amount: order.amount,
      amount_received: order.status === 'paid' ? order.amount : 0,
      currency: order.currency,
      status,
      livemode: false,
      created: now(),
      capture_method: 'automatic',
      client_secret: `${order.intent}_secret_Public01`,
      customer: order.customer,
      description: order.description,
      metadata: order.metadata,
      last_payment_error: order.lastError ?? null,
      latest_charge: order.status === 'paid' ? order.intent.replace('pi_', 'ch_') : null,
      next_action: status === 'requires_action'
        ? { type: 'redirect_to_url', redirect_to_url: { url: order.redirect, return_url: null } }
        : null
    }
  }

  refundObject (order, refund) {
    return {
      id: refund.id,
      object: 'refund',
      amount: refund.amount,
      currency: order.currency,
      status: refund.status,
      created: now(),
      charge: order.intent.replace('pi_', 'ch_'),
      payment_intent: order.intent,
      reason: 'requested_by_customer',
      failure_reason: refund.status === 'failed' ? 'lost_or_stolen_card' : undefined,
      metadata: { out_refund_no: refund.number }
    }
  }

  bend (object, bend) {
    const all = structuredClone(object)
    const one = all.data?.[0] ?? all
    if (bend === 'wrong_amount') {
      one.amount++
      one.amount_received = one.amount_received ? one.amount_received + 1 : one.amount_received
    } else if (bend === 'wrong_currency') {
      one.currency = one.currency === 'usd' ? 'eur' : 'usd'
    } else if (bend === 'wrong_order') {
      one.metadata = { out_trade_no: 'A0000000000000000000000000', out_refund_no: 'R0000000000000000000000000' }
    } else if (bend === 'other_intent') {
      one[one.object === 'refund' ? 'payment_intent' : 'id'] = 'pi_3Another000000001'
    } else if (bend === 'unknown_status') {
      one.status = 'teleported'
    } else if (bend === 'real_amount') {
      return JSON.stringify(all).replace(/"amount(_received)?":(\d+)/g, '"amount$1":$2.0')
    }
    return JSON.stringify(all)
  }

  dress (plain, asked, bend) {
    const headers = { 'content-type': 'application/json', 'request-id': this.id('req') }
    if (plain.isReplay) {
      headers['idempotent-replayed'] = 'true'
    }
    if (bend === 'kept_500' && asked.key) {
      const kept = { status: 500, error: { type: 'api_error', message: 'An unknown error occurred.' } }
      this.keys.set(asked.key, { path: asked.path, text: asked.text, answer: kept })
      plain = kept
    } else if (bend === 'in_use') {
      plain = { status: 409, error: { type: 'idempotency_error', code: 'idempotency_key_in_use', message: 'In use.' } }
    } else if (bend === 'unknown_code') {
      plain = { status: 400, error: { type: 'odd_error', code: 'odd_code', message: 'Odd.' } }
    }
    const body = plain.error ? JSON.stringify({ error: plain.error }) : this.bend(plain.make(), bend)
    return { status: plain.status, headers, body }
  }

  broken (fault) {
    const error = {
      http401: { type: 'invalid_request_error', message: 'Invalid API Key provided.' },
      http429: { type: 'invalid_request_error', code: 'rate_limit', message: 'Too many requests.' }
    }[fault]
    return error && {
      status: Number(fault.slice(4)), headers: { 'content-type': 'application/json' }, body: JSON.stringify({ error })
    }
  }

  notice (order, refund, bend) {
    const type = bend?.startsWith('type:') ? bend.slice(5)
      : refund ? (refund.status === 'failed' ? 'refund.failed' : 'refund.updated')
        : 'payment_intent.' + { open: 'requires_action', paid: 'succeeded', closed: 'canceled' }[order.status]
    let object = refund ? this.refundObject(order, refund) : this.intentObject(order)
    if (['wrong_amount', 'wrong_order', 'wrong_currency', 'other_intent'].includes(bend)) {
      object = JSON.parse(this.bend(object, bend))
    }
    const event = {
      id: `evt_${order.intent}${refund ? refund.id : ''}${type}`.replace(/\W/g, ''),
      object: 'event',
      api_version: VERSION,
      created: now(),
      data: { object },
      livemode: bend === 'livemode',
      pending_webhooks: 1,
      request: { id: null, idempotency_key: null },
      type
    }
    const payload = JSON.stringify(event, null, 2)
    const secret = SECRETS[bend] ?? order.secret
    const timestamp = bend === 'stale' ? now() - TOLERANCE - 60 : now()
    const header = stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp })
    const isGood = () => {
      try {
        return stripe.webhooks.constructEvent(payload, header, order.secret).id === event.id
      } catch {
        return false
      }
    }
    if (isGood() !== !['stale', 'other_key'].includes(bend)) {
      throw new Error(`the official reader thinks otherwise of ${bend}`)
    }
    const headers = { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': header }
    if (bend === 'no_sign') {
      delete headers['stripe-signature']
    } else if (bend === 'v0') {
      headers['stripe-signature'] = header.replace('v1=', 'v0=')
    }
    return { headers, body: bend === 'tampered' ? payload.replace('"livemode": false', '"livemode":  false') : payload }
  }

  consoleRefund (order, refund) {
    refund.id = this.id('re')
    this.refunds.set(refund.id, { order, refund })
  }

  /* The official client against this server, and what must not happen. */
  async door (path, asked, counterpart) {
    const order = counterpart.books.order(asked.number)
    switch (path) {
      case '/_endpoint':
        counterpart.endpoint = asked.url
        return {}
      case '/_secret': /* rolled: what is new is signed by it */
        this.secret = asked.secret
        return {}
      case '/_slow':
        order.slow = true
        return {}
      case '/_reopen': /* what must not happen, and does */
        order.status = 'open'
        return {}
      case '/_settle':
        order.refunds.get(asked.refund).status = asked.status
        return {}
      case '/_client': {
        const client = new Stripe(KEY, {
          host: '127.0.0.1', port: counterpart.port, protocol: counterpart.protocol, maxNetworkRetries: 0, telemetry: false
        })
        if (asked.make) {
          const made = await client.paymentIntents.create(asked.make, { idempotencyKey: asked.key })
          return { intent: made.id, status: made.status }
        }
        const intent = await client.paymentIntents.retrieve(order.intent)
        const refunds = await client.refunds.list({ payment_intent: order.intent, limit: 100 })
        return { intent, refunds: refunds.data }
      }
    }
  }
}

const server = new StripeServer()
const counterpart = new Counterpart(server)
server.counterpart = counterpart
counterpart.listen()
