/*
 * alipay.mjs - Alipay's gateway.do, as far as its open platform's documents
 * tell; alipay-sdk checks what comes and makes the signatures of what leaves.
 *
 * Three instances of the SDK:
 *   platform  whose "Alipay key" is the merchant's: checks requests
 *   merchant  what a merchant would have: every answer and notice has to pass
 *             its checks before it leaves, unless a fault is asked for
 *   certified the same with certificates: their SNs
 * A code that was shown and not scanned is no trade yet: queries and closes
 * say TRADE_NOT_EXIST.   usage: alipay.mjs FOLDER OF KEYS
 */
import fs from 'node:fs'
import path from 'node:path'
import { AlipaySdk } from 'alipay-sdk'
import { Counterpart, Refused } from './lib.mjs'

/* the SDK's own signer and cipher, which its package does not export */
const { signatureV3: rsa2, aesEncryptText } = await import(
  new URL('./node_modules/alipay-sdk/dist/esm/util.js', import.meta.url).href)

const FOLDER = process.argv[2]
const APP_ID = '2021000122671080'
const SELLER_ID = '2088101106499364'
/* whose merchant the app acts for with a token, and who has to be told */
const ACTED_FOR = { '202611BBpayhubacts0001': '2088101106499372' }
const AUTH_APP_ID = '2021000122671999'
const PROVIDER_ID = '2088511833207846'
const AES_KEY = 'MTIzNDU2Nzg5MGFiY2RlZg=='
const CLOCK_MS = 10 * 60 * 1000
const BEIJING_MS = 8 * 3600 * 1000

const file = name => fs.readFileSync(path.join(FOLDER, name), 'utf8')
const common = { appId: APP_ID, keyType: 'PKCS8', encryptKey: AES_KEY, camelcase: false }
const platform = new AlipaySdk({
  ...common, privateKey: file('platform_pkcs8.pem'), alipayPublicKey: file('app_public.pem')
})
const merchant = new AlipaySdk({
  ...common, privateKey: file('app_pkcs8.pem'), alipayPublicKey: file('platform_public.pem')
})
const certified = new AlipaySdk({
  ...common,
  privateKey: file('app_pkcs8.pem'),
  appCertContent: file('appCertPublicKey.crt'),
  alipayPublicCertContent: file('alipayCertPublicKey.crt'),
  alipayRootCertContent: file('alipayRootCert.crt')
})

/* --- values ---------------------------------------------------------------- */

const fen = yuan => {
  if (!/^\d{1,9}\.\d{2}$/.test(yuan ?? '')) {
    throw new Refused(`amount ${yuan}: expected yuan with two decimals`)
  }
  return Number(yuan.replace('.', ''))
}
const yuan = amount => `${Math.trunc(amount / 100)}.${String(amount % 100).padStart(2, '0')}`
const beijing = ms => new Date(ms + BEIJING_MS).toISOString().slice(0, 19).replace('T', ' ')
const fromBeijing = text => Date.parse(text.replace(' ', 'T') + '+08:00')

/* {key, face}: what signs, and the SDK that knows it, by door /_key.  An order
 * keeps that of its create for its notices. */
let now = { key: platform.config.privateKey, face: merchant }
/* the same of certificates, with {sn, pem}, by door /_rotate */
let next
const signers = new Map() /* by number */

let serial = 0
const drawn = () => String(++serial).padStart(10, '0')

/* --- requests -------------------------------------------------------------- */

const PAY = 'out_trade_no total_amount subject'
const MORE = 'body time_expire timeout_express extend_params'
/* method: [operation, what has to stand, what may] of biz_content */
const METHODS = {
  'alipay.trade.precreate': ['create', PAY, MORE],
  'alipay.trade.pay': ['create', `${PAY} auth_code scene`, `${MORE} product_code`],
  'alipay.trade.create': ['create', `${PAY} product_code`, `${MORE} buyer_id buyer_open_id op_app_id`],
  'alipay.trade.page.pay': ['open', `${PAY} product_code`, `${MORE} qr_pay_mode`],
  'alipay.trade.wap.pay': ['open', `${PAY} product_code`, `${MORE} quit_url`],
  'alipay.trade.app.pay': ['open', `${PAY} product_code`, MORE],
  'alipay.trade.query': ['query', 'out_trade_no', 'query_options'],
  'alipay.trade.close': ['close', 'out_trade_no', 'operator_id'],
  'alipay.trade.cancel': ['reverse', 'out_trade_no', ''],
  'alipay.trade.refund': ['refund', 'out_trade_no refund_amount out_request_no', 'refund_reason'],
  'alipay.trade.fastpay.refund.query': ['refund_query', 'out_trade_no out_request_no', 'query_options']
}
const FIXED = {
  'alipay.trade.pay': { scene: 'bar_code', product_code: 'FACE_TO_FACE_PAYMENT' },
  'alipay.trade.create': { product_code: 'JSAPI_PAY' },
  'alipay.trade.page.pay': { product_code: 'FAST_INSTANT_TRADE_PAY' },
  'alipay.trade.wap.pay': { product_code: 'QUICK_WAP_WAY' },
  'alipay.trade.app.pay': { product_code: 'QUICK_MSECURITY_PAY' }
}

function need (right, says) {
  if (!right) {
    throw new Refused(says)
  }
}

/* All parameters, of the address and of the form; none twice. */
function paramsOf (request) {
  const params = {}
  const address = new URL(request.target, 'http://gateway')
  const form = new URLSearchParams(request.body.toString('utf8'))
  for (const [key, value] of [...address.searchParams, ...form]) {
    need(!(key in params), `${key} twice`)
    need(value !== '', `${key} is empty`)
    params[key] = value
  }
  if (request.method === 'POST' && params.method !== 'alipay.trade.app.pay') {
    need(address.searchParams.get('charset') === 'utf-8', 'charset does not stand in the address')
    need(request.headers['content-type']?.startsWith('application/x-www-form-urlencoded'), 'content type')
  }
  return params
}

function requestCheck (params) {
  const { sign, ...signed } = params
  const text = Object.keys(signed).sort().map(key => `${key}=${signed[key]}`).join('&')
  need(sign && platform.rsaCheck(text, sign, 'RSA2'), 'the SDK does not take the signature')
  const fixed = { app_id: APP_ID, charset: 'utf-8', version: '1.0', sign_type: 'RSA2' }
  for (const [key, value] of Object.entries(fixed)) {
    need(params[key] === value, `${key} is ${params[key]}`)
  }
  need(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(params.timestamp) &&
    Math.abs(fromBeijing(params.timestamp) - Date.now()) < CLOCK_MS, `timestamp is ${params.timestamp}`)
  need((params.app_cert_sn === undefined) === (params.alipay_root_cert_sn === undefined), 'one SN of two')
  if (params.app_cert_sn !== undefined) {
    need(params.app_cert_sn === certified.config.appCertSn, 'app_cert_sn is another')
    need(params.alipay_root_cert_sn === certified.config.alipayRootCertSn, 'alipay_root_cert_sn is another')
  }
}

function contentOf (params) {
  if (params.encrypt_type === undefined) {
    return JSON.parse(params.biz_content)
  }
  need(params.encrypt_type === 'AES', `encrypt_type is ${params.encrypt_type}`)
  return JSON.parse(platform.aesDecrypt(params.biz_content))
}

function contentCheck (method, content) {
  const [, must, may] = METHODS[method]
  const musts = must.split(' ')
  for (const key of musts) {
    need(content[key] !== undefined, `${method}: no ${key}`)
  }
  for (const [key, value] of Object.entries(content)) {
    need(musts.includes(key) || may.split(' ').includes(key), `${method}: unknown ${key}`)
    need(value !== '', `${method}: ${key} is empty`)
  }
  for (const [key, value] of Object.entries(FIXED[method] ?? {})) {
    need(content[key] === value, `${method}: ${key} is ${content[key]}`)
  }
  need(/^\w{1,64}$/.test(content.out_trade_no), `out_trade_no ${content.out_trade_no}`)
  if (content.time_expire !== undefined) {
    need(fromBeijing(content.time_expire) > Date.now(), `time_expire ${content.time_expire}`)
  }
  if (content.extend_params !== undefined) {
    need(JSON.stringify(content.extend_params) === JSON.stringify({ sys_service_provider_id: PROVIDER_ID }),
      `extend_params ${JSON.stringify(content.extend_params)}`)
  }
  if (method === 'alipay.trade.create') {
    need((content.buyer_id ?? content.buyer_open_id) !== undefined, 'no buyer')
  }
}

function read (request) {
  if (new URL(request.target, 'http://gateway').pathname !== '/gateway.do') {
    return null
  }
  const params = paramsOf(request)
  requestCheck(params)
  if (params.method === 'alipay.open.app.alipaycert.download') {
    return { op: 'refresh', method: params.method, sn: JSON.parse(params.biz_content).alipay_cert_sn, certified: true }
  }
  const row = METHODS[params.method]
  need(row, `method is ${params.method}`)
  const content = contentOf(params)
  contentCheck(params.method, content)
  const opens = row[0] === 'create' || row[0] === 'open'
  need(params.app_auth_token === undefined || params.app_auth_token in ACTED_FOR,
    `app_auth_token is ${params.app_auth_token}`)
  need(opens || params.notify_url === undefined, `notify_url in ${params.method}`)
  need(!opens || params.notify_url, `no notify_url in ${params.method}`)
  const amount = content.total_amount ?? content.refund_amount
  return {
    op: row[0],
    method: params.method,
    number: content.out_trade_no,
    refund: content.out_request_no,
    /* of what tells none, the order's: a knob knows orders by it */
    amount: amount === undefined ? amounts.get(content.out_trade_no) : fen(amount),
    refundAmount: amounts.get(content.out_request_no),
    content,
    token: params.app_auth_token,
    notifyUrl: params.notify_url,
    returnUrl: params.return_url,
    encrypted: params.encrypt_type === 'AES',
    certified: params.app_cert_sn !== undefined
  }
}

const amounts = new Map() /* by the number of an order or a refund */

/* --- what happens ---------------------------------------------------------- */

const DONE = { code: '10000', msg: 'Success' }
const failed = (sub, code = '40004') => ({ code, msg: 'Business Failed', sub_code: sub, sub_msg: sub })
const ids = order => ({ out_trade_no: order.number, trade_no: order.tradeNo })

function open (asked, books) {
  const { content } = asked
  const order = books.open(asked.number, {
    amount: asked.amount,
    subject: content.subject,
    body: content.body,
    method: asked.method,
    notifyUrl: asked.notifyUrl,
    returnUrl: asked.returnUrl,
    certified: asked.certified,
    token: asked.token,
    provider: content.extend_params?.sys_service_provider_id,
    tradeNo: `20261123220014${drawn()}`,
    scanned: asked.method !== 'alipay.trade.precreate',
    reverses: 0
  })
  amounts.set(order.number, order.amount)
  signers.set(order.number, signers.get(order.number) ?? ((asked.certified && next) || now))
  return order.amount === asked.amount && order.subject === content.subject ? order : null
}

const backOf = order => [...order.refunds.values()].reduce((sum, one) => sum + one.amount, 0)

/* A payment that went back whole is closed, as one that nobody made. */
function statusOf (order) {
  if (order.status === 'paid' && backOf(order) < order.amount) {
    return 'TRADE_SUCCESS'
  }
  return order.status === 'open' ? 'WAIT_BUYER_PAY' : 'TRADE_CLOSED'
}

/* Words of a bar code's payer, by a knob: wait, declined. */
function pay (asked, books) {
  const before = books.order(asked.number)
  if (before?.status === 'paid') {
    return failed('ACQ.TRADE_HAS_SUCCESS')
  }
  if (before && before.status !== 'open') {
    return failed('ACQ.TRADE_HAS_CLOSE')
  }
  const order = open(asked, books)
  if (!order) {
    return failed('ACQ.CONTEXT_INCONSISTENT')
  }
  if (asked.fault === 'declined') {
    order.status = 'failed'
    return { ...failed('ACQ.BUYER_BALANCE_NOT_ENOUGH'), ...ids(order) }
  }
  if (asked.fault === 'wait') {
    return { code: '10003', msg: ' order success pay inprocess', ...ids(order), buyer_logon_id: '158****1562' }
  }
  books.pay(asked.number)
  return {
    ...DONE,
    ...ids(order),
    buyer_logon_id: '158****1562',
    total_amount: yuan(order.amount),
    receipt_amount: yuan(order.amount),
    buyer_pay_amount: yuan(order.amount),
    gmt_payment: beijing(order.paidAt),
    fund_bill_list: [{ amount: yuan(order.amount), fund_channel: 'ALIPAYACCOUNT' }],
    buyer_user_id: '2088102175864321'
  }
}

function create (asked, books) {
  if (asked.method === 'alipay.trade.pay') {
    return pay(asked, books)
  }
  const order = open(asked, books)
  if (!order) {
    return failed('ACQ.CONTEXT_INCONSISTENT')
  }
  if (order.status !== 'open') {
    return failed(order.status === 'paid' ? 'ACQ.TRADE_HAS_SUCCESS' : 'ACQ.TRADE_HAS_CLOSE')
  }
  return asked.method === 'alipay.trade.create'
    ? { ...DONE, ...ids(order) }
    : { ...DONE, out_trade_no: order.number, qr_code: `https://qr.alipay.com/bax${order.number}` }
}

/* An order is that merchant's alone for whom it was made. */
const orderOf = (asked, books) => {
  const order = books.order(asked.number)
  return order?.token === asked.token ? order : undefined
}
const known = order => order !== undefined && (order.scanned || order.status !== 'open')

function query (asked, books) {
  const order = orderOf(asked, books)
  if (!known(order)) {
    return failed('ACQ.TRADE_NOT_EXIST')
  }
  return {
    ...DONE,
    ...ids(order),
    trade_status: statusOf(order),
    total_amount: yuan(order.amount),
    buyer_logon_id: '158****1562',
    receipt_amount: '0.00',
    point_amount: '0.00',
    ...(order.paidAt ? { send_pay_date: beijing(order.paidAt) } : {})
  }
}

function close (asked, books) {
  const order = orderOf(asked, books)
  if (!known(order)) {
    return failed('ACQ.TRADE_NOT_EXIST')
  }
  if (order.status !== 'open') {
    return failed('ACQ.TRADE_STATUS_ERROR')
  }
  order.status = 'closed'
  return { ...DONE, ...ids(order) }
}

/* A knob's "retry" does nothing and says Y; with "late" the payer pays at that
 * moment, and what becomes of the cancel is not told. */
function reverse (asked, books) {
  const order = orderOf(asked, books)
  if (asked.fault === 'retry') {
    return { ...DONE, out_trade_no: asked.number, retry_flag: 'Y' }
  }
  if (!order) {
    return { ...DONE, out_trade_no: asked.number, retry_flag: 'N' }
  }
  if (asked.fault === 'late') {
    books.pay(asked.number)
    return failed('ACQ.SYSTEM_ERROR')
  }
  const action = { open: 'close', paid: 'refund' }[order.status]
  if (action === 'refund' && order.refunds.size > 0) {
    return failed('ACQ.TRADE_HAS_FINISHED')
  }
  if (action) {
    order.status = action === 'close' ? 'closed' : 'reversed'
    order.reverses++
  }
  return { ...DONE, ...ids(order), retry_flag: 'N', ...(action ? { action } : {}) }
}

function refund (asked, books) {
  const order = orderOf(asked, books)
  amounts.set(asked.refund, asked.amount)
  if (asked.fault === 'system_error') {
    return failed('ACQ.SYSTEM_ERROR')
  }
  if (asked.fault === 'poor') {
    return failed('ACQ.SELLER_BALANCE_NOT_ENOUGH')
  }
  if (!known(order)) {
    return failed('ACQ.TRADE_NOT_EXIST')
  }
  const old = order.refunds.get(asked.refund)
  if (old && old.amount !== asked.amount) {
    return failed('ACQ.DISCORDANT_REPEAT_REQUEST')
  }
  if (!old && statusOf(order) !== 'TRADE_SUCCESS') {
    return failed(order.status === 'open' ? 'ACQ.TRADE_STATUS_ERROR' : 'ACQ.TRADE_HAS_CLOSE')
  }
  if (!old && backOf(order) + asked.amount > order.amount) {
    return failed('ACQ.REFUND_AMT_NOT_EQUAL_TOTAL')
  }
  const isDone = asked.fault !== 'nothing_changed'
  if (isDone) {
    books.refund(order, asked.refund, asked.amount)
  }
  if (asked.fault === 'system_error_done') {
    return failed('ACQ.SYSTEM_ERROR')
  }
  return {
    ...DONE,
    ...ids(order),
    buyer_logon_id: '158****1562',
    fund_change: old || !isDone ? 'N' : 'Y',
    refund_fee: yuan(backOf(order)),
    send_back_fee: yuan(asked.amount),
    gmt_refund_pay: beijing(Date.now())
  }
}

function refundQuery (asked, books) {
  const order = orderOf(asked, books)
  if (!known(order)) {
    return failed('ACQ.TRADE_NOT_EXIST')
  }
  const found = order.refunds.get(asked.refund)
  return {
    ...DONE,
    ...ids(order),
    ...(found
      ? {
          out_request_no: found.number,
          refund_status: 'REFUND_SUCCESS',
          total_amount: yuan(order.amount),
          refund_amount: yuan(found.amount)
        }
      : {})
  }
}

/* The next certificate, when the test made one. */
function download (asked) {
  if (!next || asked.sn !== next.sn) {
    return failed('isv.invalid-alipay-cert-sn', '40002')
  }
  return { ...DONE, alipay_cert_content: Buffer.from(next.pem).toString('base64') }
}

const PERFORM = { create, open, query, close, reverse, refund, refund_query: refundQuery, refresh: download }

/* What somebody else would answer in Alipay's place: fault "lie:HOW".  No
 * money moves; asked.truth is what Alipay itself would say. */
function lie (asked, books) {
  const order = books.order(asked.number)
  asked.truth = asked.op === 'query' ? query(asked, books) : failed('ACQ.SYSTEM_ERROR')
  const about = { ...DONE, out_trade_no: asked.number, trade_no: order?.tradeNo ?? '2026112322001400000000000000' }
  switch (asked.op) {
    case 'create':
      return { ...about, total_amount: yuan(asked.amount), receipt_amount: yuan(asked.amount) }
    case 'query':
      return { ...about, trade_status: 'TRADE_SUCCESS', total_amount: yuan(order.amount) }
    case 'refund':
      return { ...about, fund_change: 'Y', refund_fee: yuan(asked.amount) }
    case 'refund_query':
      return {
        ...about,
        out_request_no: asked.refund,
        refund_status: 'REFUND_SUCCESS',
        total_amount: yuan(order.amount),
        refund_amount: yuan(asked.refundAmount)
      }
    default:
      return about
  }
}

function perform (asked, books) {
  if (asked.fault?.startsWith('lie:')) {
    return lie(asked, books)
  }
  if (asked.fault === 'system_error') {
    return failed(asked.op === 'query' ? 'aop.ACQ.SYSTEM_ERROR' : 'ACQ.SYSTEM_ERROR')
  }
  if (asked.fault === 'unknown_error') {
    return failed('isp.unknow-error', '20000')
  }
  if (asked.fault === 'no_permission') {
    return failed('isv.insufficient-isv-permissions', '40006')
  }
  if (asked.fault === 'odd_code') {
    return failed('ACQ.NOBODY_KNOWS_THIS')
  }
  return PERFORM[asked.op](asked, books)
}

/* --- answers --------------------------------------------------------------- */

const AMOUNTS = ['total_amount', 'refund_fee', 'refund_amount']

/* Genuine, and about something else. */
function contentBend (answer, bend) {
  const bent = { ...answer }
  if (bend === 'wrong_amount') {
    for (const key of AMOUNTS.filter(one => one in bent)) {
      bent[key] = '0.01'
    }
  } else if (bend === 'odd_amount' && bent.total_amount) {
    bent.total_amount += '0'
  } else if (bend === 'wrong_order' && bent.out_trade_no) {
    bent.out_trade_no = 'A' + '0'.repeat(bent.out_trade_no.length - 1)
  } else if (bend === 'odd_status' && bent.trade_status) {
    bent.trade_status = 'TRADE_MAYBE'
  }
  return bent
}

/* A lie with a bad signature, or beside a genuine text. */
function lieDress (answer, asked, how) {
  if (how !== 'root_first' && how !== 'root_last') {
    return dress(answer, asked, how)
  }
  const key = `${asked.method.replaceAll('.', '_')}_response`
  const genuine = dress(asked.truth, asked)
  const inside = genuine.body.slice(1, -1)
  const lie = `"${key}":${JSON.stringify(answer)}`
  return { ...genuine, body: how === 'root_first' ? `{${lie},${inside}}` : `{${inside},${lie}}` }
}

function dress (answer, asked, bend) {
  if (bend?.startsWith('lie:')) {
    return lieDress(answer, asked, bend.slice(4))
  }
  if (asked.op === 'open') {
    return { status: 200, headers: { 'content-type': 'text/html;charset=utf-8' }, body: '<p>cashier</p>' }
  }
  const key = `${asked.method.replaceAll('.', '_')}_response`
  /* Alipay writes slashes escaped: what is signed is what is sent */
  const plain = JSON.stringify(contentBend(answer, bend)).replaceAll('/', '\\/')
  const signed = asked.encrypted && answer.code === '10000'
    ? JSON.stringify(aesEncryptText(plain, AES_KEY))
    : plain
  const rotated = asked.certified ? next : undefined
  const ours = rotated?.key ?? now.key
  let sign = rsa2(signed, bend === 'own_key' ? merchant.config.privateKey : ours)
  if (bend === 'bad_sign') {
    sign = rsa2(signed + ' ', ours)
  } else if (bend === 'not_base64') {
    sign = '?' + sign.slice(1)
  }
  const sn = bend === 'unknown_serial' ? '0'.repeat(32) : rotated?.sn ?? certified.config.alipayCertSn
  const body = `{"${bend === 'error_response' ? 'error_response' : key}":${signed}` +
    (asked.certified ? `,"alipay_cert_sn":"${sn}"` : '') +
    (bend === 'no_sign' || bend === 'error_response' ? '' : `,"sign":"${sign}"`) +
    (bend === 'root_twice' ? `,"${key}":${signed}` : '') + '}'
  if (bend === undefined) {
    leaving(rotated?.face ?? now.face, body, key, sign, signed)
  }
  return { status: 200, headers: { 'content-type': 'text/html;charset=utf-8', trace_id: drawn() }, body }
}

/* What the SDK would refuse never leaves as a good answer.  It cannot find the
 * text that is signed of an encrypted one: that is told to it. */
function leaving (face, body, key, sign, signed) {
  if (signed.startsWith('{')) {
    face.checkResponseSign(body, key, sign)
  } else if (!face.rsaCheck(signed, sign) || !face.aesDecrypt(JSON.parse(signed))) {
    throw new Error('the SDK does not take our answer')
  }
}

/* --- notices --------------------------------------------------------------- */

/* The text that was signed in other pieces: those that the order's own `body`
 * names, and all that comes after them in the value of its last one. */
function resplit (text, order, sign) {
  const at = text.indexOf(order.body)
  const parts = Object.fromEntries([...text.slice(0, at).split('&'), ...order.body.split('&').slice(1)]
    .map(one => one.split(/=(.*)/s).slice(0, 2)))
  parts.body = order.body.split('&')[0]
  parts[Object.keys(parts).sort().at(-1)] += text.slice(at + order.body.length)
  const whole = { ...parts, sign_type: 'RSA2', sign }
  if (!merchant.checkNotifySignV2(whole)) {
    throw new Error('the signature does not hold for the other pieces')
  }
  return whole
}

function notice (order, refund, bend) {
  const params = {
    gmt_create: beijing(Date.now() - 1000),
    charset: 'utf-8',
    seller_email: 'seller@example.com',
    subject: order.subject,
    buyer_id: '2088102175864321',
    invoice_amount: yuan(order.amount),
    notify_id: `2026112300222${drawn()}`,
    fund_bill_list: JSON.stringify([{ amount: yuan(order.amount), fundChannel: 'ALIPAYACCOUNT' }]),
    notify_type: 'trade_status_sync',
    trade_status: statusOf(order),
    receipt_amount: yuan(order.amount),
    app_id: APP_ID,
    buyer_pay_amount: yuan(order.amount),
    seller_id: ACTED_FOR[order.token] ?? SELLER_ID,
    gmt_payment: beijing(order.paidAt ?? Date.now()),
    notify_time: beijing(Date.now()),
    version: '1.0',
    out_trade_no: order.number,
    total_amount: yuan(order.amount),
    trade_no: order.tradeNo,
    auth_app_id: order.token ? AUTH_APP_ID : APP_ID,
    point_amount: '0.00',
    ...(order.body ? { body: order.body } : {}),
    ...(refund
      ? {
          out_biz_no: refund.number,
          refund_fee: yuan(backOf(order)),
          gmt_refund: `${beijing(Date.now())}.123`
        }
      : {})
  }
  Object.assign(params, {
    wrong_amount: { total_amount: '0.01' },
    wrong_app: { app_id: '2021000122671081' },
    wrong_seller: { seller_id: '2088101106499365' },
    acted_for: { seller_id: Object.values(ACTED_FOR)[0], auth_app_id: AUTH_APP_ID },
    odd_amount: { total_amount: yuan(order.amount) + '0' },
    odd_status: { trade_status: 'TRADE_MAYBE' },
    waiting: { trade_status: 'WAIT_BUYER_PAY' },
    closed: { trade_status: 'TRADE_CLOSED' },
    nobody: { out_trade_no: 'A' + '0'.repeat(26) }
  }[bend])
  const text = Object.keys(params).sort().map(key => `${key}=${params[key]}`).join('&')
  const { key, face } = signers.get(order.number)
  const sign = rsa2(text, bend === 'own_key' ? merchant.config.privateKey : key)
  const whole = { ...params, sign_type: bend === 'weak' ? 'RSA' : 'RSA2', sign }
  if (bend === 'tampered') {
    whole.total_amount = yuan(order.amount + 1)
  } else if (bend === 'bad_sign') {
    whole.sign = rsa2(text + '&', key)
  } else if (bend === 'no_sign') {
    delete whole.sign
  } else if (bend === undefined && !face.checkNotifySignV2(whole)) {
    throw new Error('the SDK does not take our notice')
  }
  let body = new URLSearchParams(bend === 'resplit' ? resplit(text, order, sign) : whole).toString()
  if (bend === 'truncated') {
    body = body.slice(0, body.length / 2)
  } else if (bend === 'html') {
    body = '<html><body>hello</body></html>'
  }
  return { headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }, body }
}

/* /_rotate {cert, key}: PEM; all of certificate mode is signed by it
 * /_key {public, key}: the same of public-key mode */
function door (path, asked) {
  if (path === '/_key') {
    const face = new AlipaySdk({ ...common, privateKey: file('app_pkcs8.pem'), alipayPublicKey: asked.public })
    now = { key: new AlipaySdk({ ...common, privateKey: asked.key }).config.privateKey, face }
    return {}
  }
  if (path !== '/_rotate') {
    return undefined
  }
  const face = new AlipaySdk({
    ...common,
    privateKey: asked.key,
    appCertContent: asked.cert,
    alipayPublicCertContent: asked.cert,
    alipayRootCertContent: file('alipayRootCert.crt')
  })
  next = { sn: face.config.alipayCertSn, pem: asked.cert, key: face.config.privateKey, face }
  return { sn: next.sn }
}

new Counterpart({ name: 'alipay', read, perform, dress, notice, door }).listen()
