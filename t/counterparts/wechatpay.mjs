/*
 * wechatpay.mjs - WeChat Pay's API v3, as far as its documents tell; Rsa,
 * Formatter and Aes of wechatpay-axios-plugin check what comes, sign and
 * encrypt what leaves, and check that once more before it leaves.
 *
 * Answers are signed with the key that the request's Wechatpay-Serial names:
 * PUB_KEY_ID_... is the public key, all else the platform's certificate of the
 * moment.  A notice takes the key of its order's create.
 * usage: wechatpay.mjs FOLDER OF KEYS
 */
import fs from 'node:fs'
import path from 'node:path'
import { X509Certificate } from 'node:crypto'
import plugin from 'wechatpay-axios-plugin'
import { Counterpart, Refused } from './lib.mjs'

const { Rsa, Formatter, Aes: { AesGcm } } = plugin

const FOLDER = process.argv[2]
const MCHID = '1900009191'
const APPID = 'wxd678efh567hg6787'
/* sub-merchants of MCHID as a service provider, and the app of the first */
const SUB_MCHIDS = ['1900013511', '1900013522']
const SUB_APPID = 'wx8888888888888888'
const CLOCK_S = 300
const BEIJING_MS = 8 * 3600 * 1000

const file = name => fs.readFileSync(path.join(FOLDER, name), 'utf8')
const pair = name => ({
  secret: Rsa.from(file(`${name}_pkcs8.pem`), Rsa.KEY_TYPE_PRIVATE),
  open: Rsa.from(file(`${name}_public.pem`), Rsa.KEY_TYPE_PUBLIC)
})
const certified = name => {
  const pem = file(`${name}_cert.pem`)
  const certificate = new X509Certificate(pem)
  return { ...pair(name), pem, certificate, serial: certificate.serialNumber }
}
const merchant = { ...pair('merchant'), serial: new X509Certificate(file('merchant_cert.pem')).serialNumber }
/* public keys by their ids: that of the vectors, and the next one */
const publics = Object.fromEntries([
  ['PUB_KEY_ID_019000091912026112300001122', 'wxpub'],
  ['PUB_KEY_ID_019000091912027010100003344', 'ca']
].map(([serial, name]) => [serial, { ...pair(name), serial }]))
const platforms = { platform1: certified('platform1'), platform2: certified('platform2') }

/* which certificate signs, which are listed, and the merchant's APIv3 key; door
 * /_platform.  Notices of an order are sealed by the key of its create. */
const now = {
  signer: 'platform1', listed: ['platform1'], lists: true, apiv3: 'payhubAPIv3key0123456789abcdefgh'
}

/* --- requests -------------------------------------------------------------- */

function need (right, says) {
  if (!right) {
    throw new Refused(says)
  }
}

function authorizationCheck (request) {
  const [scheme, fields] = (request.headers.authorization ?? '').split(/ (.*)/s)
  need(scheme === 'WECHATPAY2-SHA256-RSA2048', `scheme is ${scheme}`)
  const told = Object.fromEntries([...fields.matchAll(/(\w+)="([^"]*)"/g)].map(one => [one[1], one[2]]))
  const { mchid, serial_no: serial, timestamp, nonce_str: nonce, signature } = told
  need(Object.keys(told).length === 5 && nonce && nonce.length <= 32, `fields are ${Object.keys(told)}`)
  need(mchid === MCHID, `mchid is ${mchid}`)
  need(serial === merchant.serial, `serial_no is ${serial}`)
  need(Math.abs(Formatter.timestamp() - Number(timestamp)) <= CLOCK_S, `timestamp is ${timestamp}`)
  const message = Formatter.request(request.method, request.target, timestamp, nonce, request.body.toString('utf8'))
  need(Rsa.verify(message, signature, merchant.open), 'the SDK does not take the signature')
  need(request.headers['user-agent'], 'no User-Agent')
  need(request.headers.accept?.includes('application/json'), `Accept is ${request.headers.accept}`)
  need(request.method === 'GET' || request.headers['content-type']?.startsWith('application/json'),
    `Content-Type is ${request.headers['content-type']}`)
}

/* The members of an object by a list; "?" = may be absent. */
function members (object, names, where) {
  const all = names.split(' ')
  for (const name of all.filter(one => !one.endsWith('?'))) {
    need(object?.[name] !== undefined, `${where}: no ${name}`)
  }
  for (const [name, value] of Object.entries(object)) {
    need(all.includes(name) || all.includes(name + '?'), `${where}: unknown ${name}`)
    need(value !== '' && value !== null, `${where}: ${name} is empty`)
  }
}

/* "appid mchid" become those of the provider and of the sub-merchant */
const PARTNER = ['appid mchid', 'sp_appid sp_mchid sub_mchid sub_appid?']
const COMMON = 'appid mchid description out_trade_no notify_url amount time_expire? attach? scene_info?'
const KINDS = {
  native: COMMON,
  jsapi: `${COMMON} payer`,
  app: COMMON,
  h5: `${COMMON.replace('scene_info?', 'scene_info')}`,
  codepay: 'appid mchid description out_trade_no payer amount scene_info time_expire? attach?'
}

/* {mchid, appid} of the sub-merchant, or undefined */
function subOf (body, isPartner) {
  const { appid, mchid } = isPartner ? { appid: body.sp_appid, mchid: body.sp_mchid } : body
  need((appid ?? APPID) === APPID && mchid === MCHID, `appid ${appid}, mchid ${mchid}`)
  if (!isPartner) {
    return undefined
  }
  need(SUB_MCHIDS.includes(body.sub_mchid), `sub_mchid is ${body.sub_mchid}`)
  /* an app is bound to one of them */
  need(body.sub_appid === undefined || (body.sub_appid === SUB_APPID && body.sub_mchid === SUB_MCHIDS[0]),
    `sub_appid is ${body.sub_appid}`)
  return { mchid: body.sub_mchid, appid: body.sub_appid }
}

function payerCheck (payer, sub) {
  members(payer, sub ? 'sp_openid? sub_openid?' : 'openid', 'payer')
  need(Object.keys(payer).length === 1, 'one openid')
  need(payer.sub_openid === undefined || sub.appid, 'sub_openid without sub_appid')
}

function createRead (kind, body, isPartner) {
  members(body, isPartner ? KINDS[kind].replace(...PARTNER) : KINDS[kind], kind)
  members(body.amount, 'total currency?', 'amount')
  const sub = subOf(body, isPartner)
  need(/^[0-9A-Za-z_\-|*]{6,32}$/.test(body.out_trade_no), `out_trade_no ${body.out_trade_no}`)
  need(Number.isInteger(body.amount.total) && (body.amount.currency ?? 'CNY') === 'CNY', 'amount')
  need([...body.description].length <= 127, 'description is too long')
  need(kind === 'codepay' || !body.notify_url.includes('?'), `notify_url ${body.notify_url}`)
  need(body.time_expire === undefined || (/^[-\d]{10}T[:\d]{8}\+08:00$/.test(body.time_expire) &&
    Date.parse(body.time_expire) > Date.now()), `time_expire ${body.time_expire}`)
  if (kind === 'jsapi') {
    payerCheck(body.payer, sub)
  } else if (kind === 'codepay') {
    members(body.payer, 'auth_code', 'payer')
    members(body.scene_info, 'device_id? device_ip? store_info?', 'scene_info')
    members(body.scene_info.store_info, 'id? out_id?', 'store_info')
  } else if (kind === 'h5') {
    members(body.scene_info, 'payer_client_ip h5_info', 'scene_info')
    members(body.scene_info.h5_info, 'type app_name? app_url?', 'h5_info')
    need(['Wap', 'iOS', 'Android'].includes(body.scene_info.h5_info.type), 'h5_info.type')
  }
  return { op: 'create', kind, sub, number: body.out_trade_no, amount: body.amount.total, body }
}

function refundRead (body) {
  members(body, 'out_trade_no out_refund_no amount reason? notify_url? sub_mchid?', 'refund')
  members(body.amount, 'refund total currency', 'amount')
  need(Number.isInteger(body.amount.refund) && body.amount.currency === 'CNY', 'amount')
  need(Buffer.byteLength(body.reason ?? '') <= 80, 'reason is too long')
  refundAmounts.set(body.out_refund_no, body.amount.refund)
  orderOfRefund.set(body.out_refund_no, body.out_trade_no)
  return {
    op: 'refund',
    sub: body.sub_mchid && { mchid: body.sub_mchid },
    number: body.out_trade_no,
    refund: body.out_refund_no,
    amount: body.amount.refund,
    total: body.amount.total,
    notifyUrl: body.notify_url
  }
}

const PATHS = [
  ['POST', /^\/v3\/pay\/(partner\/)?transactions\/(native|jsapi|app|h5|codepay)$/, (found, body) =>
    createRead(found[2], body, Boolean(found[1]))],
  ['GET', /^\/v3\/pay\/(partner\/)?transactions\/out-trade-no\/([^/?]+)\?(.*)$/, found => {
    const told = Object.fromEntries(new URLSearchParams(found[3]))
    members(told, found[1] ? 'sp_mchid sub_mchid' : 'mchid', 'query')
    return { op: 'query', sub: subOf(told, Boolean(found[1])), number: found[2] }
  }],
  ['POST', /^\/v3\/pay\/(partner\/)?transactions\/out-trade-no\/([^/?]+)\/close$/, (found, body) => {
    members(body, found[1] ? 'sp_mchid sub_mchid' : 'mchid', 'close')
    return { op: 'close', sub: subOf(body, Boolean(found[1])), number: found[2] }
  }],
  ['POST', /^\/v3\/pay\/(partner\/)?transactions\/out-trade-no\/([^/?]+)\/reverse$/, (found, body) => {
    members(body, found[1] ? PARTNER[1] : PARTNER[0], 'reverse')
    return { op: 'reverse', sub: subOf(body, Boolean(found[1])), number: found[2] }
  }],
  ['POST', /^\/v3\/refund\/domestic\/refunds$/, (found, body) => refundRead(body)],
  ['GET', /^\/v3\/refund\/domestic\/refunds\/([^/?]+)(?:\?sub_mchid=(\d+))?$/, found => ({
    op: 'refund_query',
    sub: found[2] && { mchid: found[2] },
    number: orderOfRefund.get(found[1]),
    refund: found[1]
  })],
  ['GET', /^\/v3\/certificates$/, () => ({ op: 'refresh' })]
]

function read (request) {
  for (const [method, shape, make] of PATHS) {
    const found = request.method === method && shape.exec(request.target)
    if (found) {
      authorizationCheck(request)
      const body = request.body.length > 0 ? JSON.parse(request.body) : undefined
      need((body === undefined) === (method === 'GET'), 'body')
      const asked = make(found, body)
      asked.serial = request.headers['wechatpay-serial']
      asked.amount ??= amounts.get(asked.number) /* a knob knows orders by it */
      return asked
    }
  }
  return null
}

/* --- what happens ---------------------------------------------------------- */

const orderOfRefund = new Map() /* asked for, made or not */
const amounts = new Map() /* by number */
const refundAmounts = new Map() /* asked for, made or not */
const beijing = ms => new Date(ms + BEIJING_MS).toISOString().slice(0, 19) + '+08:00'
const refuse = (status, code) => ({ status, body: { code, message: `we say ${code}` } })

let serial = 0
const drawn = () => String(++serial).padStart(10, '0')

const TYPES = { native: 'NATIVE', jsapi: 'JSAPI', app: 'APP', h5: 'MWEB', codepay: 'MICROPAY' }
const STATES = { open: 'NOTPAY', paid: 'SUCCESS', closed: 'CLOSED', reversed: 'REVOKED', failed: 'PAYERROR' }

function stateOf (order) {
  if (order.status === 'paid' && order.refunds.size > 0) {
    return 'REFUND'
  }
  return order.status === 'open' && order.kind === 'codepay' ? 'USERPAYING' : STATES[order.status]
}

/* Who is paid; as refunds tell it without the apps. */
function parties ({ sub }, hasApps = true) {
  const told = sub
    ? { sp_appid: APPID, sp_mchid: MCHID, sub_appid: sub.appid, sub_mchid: sub.mchid }
    : { appid: APPID, mchid: MCHID }
  return Object.fromEntries(Object.entries(told)
    .filter(([name, value]) => value !== undefined && (hasApps || !name.endsWith('appid'))))
}

/* An order is that sub-merchant's alone for whom it was made. */
function orderOf (asked, books) {
  const order = books.order(asked.number)
  return order?.sub?.mchid === asked.sub?.mchid ? order : undefined
}

function objectOf (order) {
  const paid = order.paidAt !== undefined
  return {
    ...parties(order),
    out_trade_no: order.number,
    trade_type: TYPES[order.kind],
    trade_state: stateOf(order),
    trade_state_desc: '说明',
    amount: {
      total: order.amount,
      currency: 'CNY',
      ...(paid ? { payer_total: order.amount - 1, payer_currency: 'CNY' } : {})
    },
    ...(paid
      ? {
          transaction_id: order.tradeNo,
          bank_type: 'OTHERS',
          attach: '',
          success_time: beijing(order.paidAt),
          payer: { [order.sub ? 'sp_openid' : 'openid']: 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o' },
          promotion_detail: []
        }
      : {})
  }
}

/* Words of a bar code's payer, by a knob: wait, declined. */
function create (asked, books) {
  const { body, kind } = asked
  const order = books.open(asked.number, {
    kind,
    amount: asked.amount,
    description: body.description,
    notifyUrl: body.notify_url,
    serial: asked.serial,
    sub: asked.sub,
    payer: body.payer,
    apiv3: now.apiv3,
    tradeNo: `420000123420261123${drawn()}`
  })
  amounts.set(order.number, order.amount)
  if (order.amount !== asked.amount || order.kind !== kind || order.description !== body.description) {
    return refuse(403, 'OUT_TRADE_NO_USED')
  }
  if (order.status !== 'open') {
    return order.status === 'paid' ? refuse(400, 'ORDERPAID') : refuse(400, 'ORDER_CLOSED')
  }
  if (kind === 'codepay') {
    if (asked.fault === 'wait') {
      return { status: 200, body: { trade_state: 'USERPAYING' } }
    }
    if (asked.fault === 'declined') {
      order.status = 'failed'
      return refuse(403, 'NOTENOUGH')
    }
    books.pay(asked.number)
    return { status: 200, body: objectOf(order) }
  }
  return {
    status: 200,
    body: {
      native: { code_url: `weixin://wxpay/bizpayurl?pr=${order.number}` },
      h5: { h5_url: `https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=${order.number}` }
    }[kind] ?? { prepay_id: `wx${order.number}` }
  }
}

function query (asked, books) {
  const order = orderOf(asked, books)
  return order ? { status: 200, body: objectOf(order) } : refuse(404, 'ORDER_NOT_EXIST')
}

function close (asked, books) {
  const order = orderOf(asked, books)
  if (!order) {
    return refuse(404, 'ORDER_NOT_EXIST')
  }
  if (order.status !== 'open') {
    return order.status === 'paid' ? refuse(400, 'ORDERPAID') : refuse(400, 'ORDER_CLOSED')
  }
  order.status = 'closed'
  return { status: 204 }
}

function reverse (asked, books) {
  const order = orderOf(asked, books)
  if (!order) {
    return refuse(404, 'ORDER_NOT_EXIST')
  }
  need(order.kind === 'codepay', 'reverse is for code pay')
  if (asked.fault === 'late') { /* the payer pays now, and it goes back later */
    books.pay(asked.number)
  } else if (order.status === 'open' || order.status === 'paid') {
    order.status = 'reversed'
  }
  return { status: 200, body: { ...parties(order), out_trade_no: order.number } }
}

function refundObject (order, refund, status) {
  return {
    refund_id: refund.id,
    out_refund_no: refund.number,
    transaction_id: order.tradeNo,
    out_trade_no: order.number,
    channel: 'ORIGINAL',
    user_received_account: '支付用户零钱',
    create_time: beijing(refund.at),
    status,
    ...(status === 'SUCCESS' ? { success_time: beijing(refund.at + 1000) } : {}),
    amount: {
      total: order.amount,
      refund: refund.amount,
      payer_total: order.amount - 1,
      payer_refund: refund.amount - 1,
      settlement_refund: refund.amount,
      settlement_total: order.amount,
      discount_refund: 0,
      currency: 'CNY'
    }
  }
}

/* A refund is accepted now and done when it is asked about: knobs abnormal,
 * refund_closed and slow make it end otherwise, or later. */
function refund (asked, books) {
  const order = orderOf(asked, books)
  if (!order) {
    return refuse(404, 'RESOURCE_NOT_EXISTS')
  }
  if (asked.fault === 'poor') {
    return refuse(403, 'NOT_ENOUGH')
  }
  let one = order.refunds.get(asked.refund)
  if (one && one.amount !== asked.amount) {
    return refuse(400, 'INVALID_REQUEST')
  }
  if (!one) {
    if (order.status !== 'paid' || asked.total !== order.amount) {
      return refuse(400, 'INVALID_REQUEST')
    }
    if (books.refunded(order) + asked.amount > order.amount) {
      return refuse(403, 'NOT_ENOUGH')
    }
    one = books.refund(order, asked.refund, asked.amount)
    born(one, order, asked)
    one.word = { abnormal: 'ABNORMAL', refund_closed: 'CLOSED' }[asked.fault] ?? 'SUCCESS'
    one.status = { ABNORMAL: 'processing', CLOSED: 'failed' }[one.word] ?? one.status
  }
  return { status: 200, body: refundObject(order, one, 'PROCESSING') }
}

function born (refund, { serial }, asked = {}) {
  Object.assign(refund, {
    id: `503000${drawn()}`, at: Date.now(), word: 'SUCCESS', notifyUrl: asked.notifyUrl, serial: asked.serial ?? serial
  })
}

function refundQuery (asked, books) {
  const order = orderOf(asked, books)
  if (!order) {
    return refuse(404, 'RESOURCE_NOT_EXISTS')
  }
  const one = order.refunds.get(asked.refund)
  if (!one) {
    return refuse(404, 'RESOURCE_NOT_EXISTS')
  }
  return { status: 200, body: refundObject(order, one, asked.fault === 'slow' ? 'PROCESSING' : one.word) }
}

function certificates () {
  if (!now.lists) {
    return refuse(404, 'RESOURCE_NOT_EXISTS')
  }
  return {
    status: 200,
    body: {
      data: now.listed.map(name => {
        const { pem, certificate, serial: number } = platforms[name]
        const nonce = Formatter.nonce(12)
        return {
          serial_no: number,
          effective_time: beijing(Date.parse(certificate.validFrom)),
          expire_time: beijing(Date.parse(certificate.validTo)),
          encrypt_certificate: {
            algorithm: 'AEAD_AES_256_GCM',
            nonce,
            associated_data: 'certificate',
            ciphertext: AesGcm.encrypt(pem, now.apiv3, nonce, 'certificate')
          }
        }
      })
    }
  }
}

const PERFORM = { create, query, close, reverse, refund, refund_query: refundQuery, refresh: certificates }
const REFUSALS = {
  system_error: [500, 'SYSTEM_ERROR'],
  rate_limited: [429, 'FREQUENCY_LIMITED'],
  no_auth: [403, 'NO_AUTH'],
  odd_code: [400, 'NOBODY_KNOWS_THIS'],
  unavailable: [503, 'SERVICE_UNAVAILABLE']
}

/* What somebody else would answer in WeChat's place: fault "lie:HOW".  No
 * money moves. */
function lie (asked, books) {
  const order = books.order(asked.number)
  const paid = {
    kind: asked.kind,
    number: asked.number,
    amount: asked.amount,
    tradeNo: '4200001234202611230000000000',
    ...order,
    status: 'paid',
    paidAt: Date.now(),
    refunds: new Map()
  }
  const back = { number: asked.refund, amount: refundAmounts.get(asked.refund), id: '5030000000000000', at: Date.now() }
  switch (asked.op) {
    case 'create':
    case 'query':
      return { status: 200, body: objectOf(paid) }
    case 'close':
      return { status: 204 }
    default:
      return { status: 200, body: refundObject(order, back, 'SUCCESS') }
  }
}

function perform (asked, books) {
  if (asked.fault?.startsWith('lie:')) {
    return lie(asked, books)
  }
  if (asked.fault in REFUSALS) {
    return refuse(...REFUSALS[asked.fault])
  }
  const answer = PERFORM[asked.op](asked, books)
  if (asked.fault === 'system_error_done') {
    return refuse(500, 'SYSTEM_ERROR')
  }
  return asked.fault === 'accepted' ? { status: 202, body: {} } : answer
}

/* --- what leaves ----------------------------------------------------------- */

const signerOf = serialNo => publics[serialNo] ?? platforms[now.signer]

/* The headers over a text, with the faults that signatures can have. */
function signed (text, signer, bend) {
  const timestamp = Formatter.timestamp() + ({ stale: -CLOCK_S - 60, future: CLOCK_S + 60 }[bend] ?? 0)
  const nonce = Formatter.nonce()
  const message = Formatter.response(timestamp, nonce, text)
  const key = bend === 'own_key' ? merchant : signer
  let signature = Rsa.sign(bend === 'bad_sign' ? message + ' ' : message, key.secret)
  if (bend === 'signtest') {
    signature = 'WECHATPAY/SIGNTEST/' + signature.slice(19)
  } else if (bend === 'not_base64') {
    signature = '?' + signature.slice(1)
  }
  if ((bend === undefined || bend in platforms) && !Rsa.verify(message, signature, signer.open)) {
    throw new Error('the SDK does not take our signature')
  }
  return bend === 'no_sign'
    ? {}
    : {
        'wechatpay-timestamp': String(timestamp),
        'wechatpay-nonce': nonce,
        'wechatpay-signature': signature,
        'wechatpay-serial': bend === 'unknown_serial' ? 'F'.repeat(40) : signer.serial,
        'wechatpay-signature-type': 'WECHATPAY2-SHA256-RSA2048'
      }
}

/* Genuine, and about something else. */
function bodyBend (body, bend) {
  const bent = structuredClone(body)
  if (bend === 'wrong_amount' && bent.amount) {
    bent.amount['refund' in bent.amount ? 'refund' : 'total'] = 1
  } else if (bend === 'odd_amount' && bent.amount) {
    bent.amount.total = `${bent.amount.total}`
  } else if (bend === 'wrong_order' && bent.out_trade_no) {
    bent.out_trade_no = 'A' + '0'.repeat(26)
  } else if (bend === 'wrong_mchid' && bent.mchid) {
    bent.mchid = '1900009192'
  } else if (bend === 'wrong_sub' && bent.sub_mchid) {
    bent.sub_mchid = SUB_MCHIDS.find(one => one !== bent.sub_mchid)
  } else if (bend === 'odd_status') {
    bent['trade_state' in bent ? 'trade_state' : 'status'] = 'MAYBE'
  }
  return bent
}

function dress (answer, asked, fault) {
  const bend = fault?.replace(/^lie:/, '')
  const text = answer.body === undefined ? '' : JSON.stringify(bodyBend(answer.body, bend))
  return {
    status: answer.status,
    headers: {
      ...(text ? { 'content-type': 'application/json; charset=utf-8' } : {}),
      'request-id': `08F7${drawn()}`,
      ...signed(text, signerOf(asked.serial), bend)
    },
    body: text
  }
}

function plainOf (order, refund, bend) {
  if (refund) {
    return {
      ...parties(order, false),
      out_trade_no: order.number,
      transaction_id: order.tradeNo,
      out_refund_no: refund.number,
      refund_id: refund.id,
      refund_status: refund.word,
      success_time: beijing(refund.at),
      user_received_account: '支付用户零钱',
      amount: {
        total: order.amount,
        refund: bend === 'wrong_amount' ? 1 : refund.amount,
        payer_total: order.amount - 1,
        payer_refund: refund.amount - 1
      }
    }
  }
  const plain = objectOf(order)
  Object.assign(plain, {
    wrong_amount: { amount: { ...plain.amount, total: 1 } },
    odd_amount: { amount: { ...plain.amount, total: `${order.amount}` } },
    wrong_app: { [order.sub ? 'sp_appid' : 'appid']: 'wxd678efh567hg6788' },
    wrong_seller: { [order.sub ? 'sp_mchid' : 'mchid']: '1900009192' },
    wrong_sub: { sub_mchid: SUB_MCHIDS.find(one => one !== order.sub?.mchid) },
    odd_status: { trade_state: 'MAYBE' },
    waiting: { trade_state: 'NOTPAY' },
    closed: { trade_state: 'CLOSED' },
    nobody: { out_trade_no: 'A' + '0'.repeat(26) }
  }[bend])
  return plain
}

function eventOf (refund, bend) {
  if (bend === 'other_event') {
    return 'MCHTRANSFER.BILL.FINISHED'
  }
  return refund ? `REFUND.${refund.word}` : 'TRANSACTION.SUCCESS'
}

function notice (order, refund, bend) {
  const kind = refund ? 'refund' : 'transaction'
  const nonce = Formatter.nonce(12)
  const plain = JSON.stringify(plainOf(order, refund, bend))
  let ciphertext = AesGcm.encrypt(plain, order.apiv3, nonce, kind)
  if (bend === 'bad_tag') {
    const bytes = Buffer.from(ciphertext, 'base64')
    bytes[bytes.length - 1] ^= 1
    ciphertext = bytes.toString('base64')
  } else if (bend === 'short') {
    ciphertext = Buffer.alloc(15).toString('base64')
  } else if (AesGcm.decrypt(ciphertext, order.apiv3, nonce, kind) !== plain) {
    throw new Error('the SDK does not open our notice')
  }
  let body = JSON.stringify({
    id: `EV-${drawn()}${order.number}`,
    create_time: beijing(Date.now()),
    resource_type: 'encrypt-resource',
    event_type: eventOf(refund, bend),
    summary: '摘要',
    resource: {
      original_type: bend === 'other_event' ? 'mch_payment' : kind,
      algorithm: 'AEAD_AES_256_GCM',
      ciphertext,
      associated_data: bend === 'bad_aad' ? 'other' : kind,
      nonce
    }
  })
  if (bend === 'html') {
    body = '<html><body>hello</body></html>'
  }
  const headers = signed(body, platforms[bend] ?? signerOf((refund ?? order).serial), bend)
  if (bend === 'tampered') {
    body = body.replace('摘要', '摘要要')
  } else if (bend === 'truncated') {
    body = body.slice(0, body.length / 2)
  }
  return { headers: { 'content-type': 'application/json', ...headers }, body }
}

/* --- doors of its own ------------------------------------------------------ */

/* What the payer's app would be called with: is paySign genuine? */
function invokeCheck ({ kind, data, number }, { books }) {
  const { sub, payer } = books.order(number)
  const [app, time, nonce, last, sign] = kind === 'app'
    ? [data.appid, data.timestamp, data.noncestr, data.prepayid, data.sign]
    : [data.appId, data.timeStamp, data.nonceStr, data.package, data.paySign]
  const genuine = Rsa.verify(Formatter.joinedByLineFeed(app, time, nonce, last), sign, merchant.open)
  const shape = kind === 'app'
    ? data.partnerid === (sub?.mchid ?? MCHID) && data.package === 'Sign=WXPay'
    : data.signType === 'RSA' && last.startsWith('prepay_id=')
  /* the sub-merchant's app, where the order is for it */
  const caller = (kind === 'app' || payer?.sub_openid) && sub?.appid ? sub.appid : APPID
  return { genuine: genuine && shape && app === caller }
}

function door (path, asked, counterpart) {
  switch (path) {
    case '/_invoke':
      return invokeCheck(asked, counterpart)
    case '/_platform':
      return Object.assign(now, asked)
  }
}

new Counterpart({
  name: 'wechatpay',
  read,
  perform,
  dress,
  notice,
  door,
  consoleRefund: (order, refund) => born(refund, order)
}).listen()
