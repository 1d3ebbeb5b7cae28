/*
 * unionpay.mjs - UnionPay's online gateway 5.1.0, as a merchant sees it.
 *
 * No public SDK signs for it in node: the rule is written here with node's
 * own crypto, and has to give the signature of t/data/vectors/unionpay.json,
 * which a foreign signer was compared with, before the program listens.
 */
import crypto from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { Counterpart, Refused } from './lib.mjs'

const KEYS = process.argv[2]
const read = name => fs.readFileSync(path.join(KEYS, name), 'utf8')
const MERCHANT = new crypto.X509Certificate(read('merchant.cer'))
const MERCHANT_SERIAL = BigInt('0x' + MERCHANT.serialNumber).toString()
const SIGNERS = {
  ours: { key: read('acpsign_pkcs8.pem'), cert: read('acpsign.cer') },
  other_key: { key: read('evil_pkcs8.pem'), cert: read('evil.cer') },
  own_key: { key: read('merchant_pkcs8.pem'), cert: read('merchant.cer') }
}
const MER_ID = '777290058110048'
const SECURE_KEY = 'payhub-secure-key-0001' /* signMethod 11 and 12 */
const HASHES = { 11: 'sha256', 12: 'sm3' }
/* GB/T 32905-2016, A.1: node's SM3 has to be that of the standard */
const SM3_OF_ABC = '66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0'
const NOT_GENUINE = new Set(['bad_sign', 'no_sign', 'other_key', 'own_key'])
const NEEDED = ['version', 'encoding', 'signMethod', 'txnType', 'txnSubType', 'bizType', 'accessType',
  'merId', 'orderId', 'txnTime', 'signature']
const MONEY_NEEDED = ['channelType', 'currencyCode', 'txnAmt', 'backUrl']
const ECHOED = ['version', 'encoding', 'signMethod', 'bizType', 'accessType', 'merId', 'txnType', 'txnSubType',
  'orderId', 'txnTime']

const digest = (text, name = 'sha256') => crypto.createHash(name).update(text).digest('hex')

function joined (fields) {
  return Object.keys(fields).filter(name => name !== 'signature' && fields[name] !== '')
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(name => `${name}=${fields[name]}`).join('&')
}

const sign = (fields, key) => crypto.sign('RSA-SHA256', Buffer.from(digest(joined(fields))), key).toString('base64')
const shared = (fields, key, name = HASHES[fields.signMethod]) =>
  digest(`${joined(fields)}&${digest(key, name)}`, name)

function signed (fields, signer) {
  if (fields.signMethod in HASHES) {
    return { ...fields, signature: shared(fields, SECURE_KEY) }
  }
  const all = { ...fields, signPubKeyCert: signer.cert }
  return { ...all, signature: sign(all, signer.key) }
}

function isSigned (fields) {
  if (fields.signMethod in HASHES) {
    return fields.certId === undefined && fields.signature === shared(fields, SECURE_KEY)
  }
  return fields.signMethod === '01' && fields.certId === MERCHANT_SERIAL &&
    crypto.verify('RSA-SHA256', Buffer.from(digest(joined(fields))), MERCHANT.publicKey,
      Buffer.from(fields.signature, 'base64'))
}

/* The foreign signatures of the vectors, byte for byte. */
function selfCheck () {
  const vectors = JSON.parse(fs.readFileSync(path.join(KEYS, '..', '..', 'unionpay.json'), 'utf8'))
  for (const { name, params, signature } of vectors.requests) {
    if (sign(params, read('merchant_pkcs8.pem')) !== signature) {
      throw new Error(`the vector ${name} is signed otherwise`)
    }
  }
  const { params, secureKey, signature } = vectors.hash_mode.find(one => one.signMethod === '11')
  if (shared(params, secureKey) !== signature) {
    throw new Error('the vector of signMethod 11 is signed otherwise')
  }
  if (digest('abc', 'sm3') !== SM3_OF_ABC) {
    throw new Error('SM3 of this node is another')
  }
}

const refuse = (isWrong, why) => {
  if (isWrong) {
    throw new Refused(why)
  }
}

function fieldsOf (request) {
  refuse(request.method !== 'POST', `method ${request.method}`)
  refuse(!/^application\/x-www-form-urlencoded/.test(request.headers['content-type'] ?? ''), 'content-type')
  const fields = {}
  for (const [name, value] of new URLSearchParams(request.body.toString('utf8'))) {
    refuse(name in fields, `${name} stands twice`)
    refuse(value === '', `${name} is empty`)
    fields[name] = value
  }
  for (const name of NEEDED) {
    refuse(!(name in fields), `${name} is missing`)
  }
  refuse(!isSigned(fields), 'signature')
  refuse(fields.version !== '5.1.0' || fields.encoding !== 'UTF-8', 'version')
  refuse(fields.merId !== MER_ID, `merId ${fields.merId}`)
  refuse(!/^[0-9A-Za-z]{8,40}$/.test(fields.orderId), `orderId ${fields.orderId}`)
  refuse(!/^20\d{12}$/.test(fields.txnTime), `txnTime ${fields.txnTime}`)
  return fields
}

function moneyCheck (fields) {
  for (const name of MONEY_NEEDED) {
    refuse(!(name in fields), `${name} is missing`)
  }
  refuse(!/^[1-9]\d{0,11}$/.test(fields.txnAmt) || fields.currencyCode !== '156', `txnAmt ${fields.txnAmt}`)
}

class UnionPay {
  name = 'unionpay'
  trades = new Map() /* orderId -> {fields, queryId, order, refund} */
  queries = new Map() /* queryId -> trade */
  signer = SIGNERS.ours /* of now; a trade's notices keep that of its birth */

  read (request) {
    const door = /^\/gateway\/api\/(\w+)\.do$/.exec(request.target)?.[1]
    if (!['frontTransReq', 'appTransReq', 'backTransReq', 'queryTrans'].includes(door)) {
      return null
    }
    const fields = fieldsOf(request)
    const asked = { door, fields, number: fields.orderId }
    const trade = this.trades.get(fields.orderId)
    if (door === 'queryTrans') {
      refuse(fields.txnType !== '00' || fields.txnSubType !== '00', 'txnType of a query')
      refuse(fields.channelType !== undefined || fields.currencyCode !== undefined, 'a query has no such fields')
      asked.op = trade?.refund || /^R/.test(fields.orderId) ? 'refund_query' : 'query'
      asked.number = trade?.order.number ?? fields.orderId
    } else if (door === 'backTransReq') {
      moneyCheck(fields)
      refuse(!['04', '31'].includes(fields.txnType), `txnType ${fields.txnType}`)
      asked.op = 'refund'
      asked.amount = fields.txnAmt
      asked.number = this.queries.get(fields.origQryId)?.order.number
    } else {
      moneyCheck(fields)
      refuse(fields.txnType !== '01' || fields.txnSubType !== '01' || fields.bizType !== '000201', 'txnType of a payment')
      refuse(fields.channelType !== (door === 'appTransReq' ? '08' : '07'), `channelType ${fields.channelType}`)
      refuse(!/^20\d{12}$/.test(fields.payTimeout ?? ''), `payTimeout ${fields.payTimeout}`)
      asked.op = 'create'
      asked.amount = fields.txnAmt
    }
    return asked
  }

  keep (fields, order, refund) {
    const trade = { fields, order, refund, signer: this.signer, queryId: `82261123102030${String(this.trades.size + 1).padStart(7, '0')}` }
    this.trades.set(fields.orderId, trade)
    this.queries.set(trade.queryId, trade)
    return trade
  }

  perform (asked, books) {
    const { door, fields } = asked
    if (door === 'queryTrans') {
      return asked.fault === 'not_found' ? { respCode: '34', respMsg: 'not seen yet' } : this.query(fields)
    }
    if (this.trades.has(fields.orderId)) {
      return { respCode: '12', respMsg: 'duplicate' }
    }
    if (door === 'backTransReq') {
      return this.giveBack(fields, books)
    }
    const order = books.open(fields.orderId, { amount: Number(fields.txnAmt), notifyUrl: fields.backUrl })
    const trade = this.keep(fields, order)
    return { respCode: '00', respMsg: 'ok', tn: '7000' + trade.queryId }
  }

  query (fields) {
    const trade = this.trades.get(fields.orderId)
    if (!trade || trade.fields.txnTime !== fields.txnTime) {
      return { respCode: '34', respMsg: 'no such trade' }
    }
    const state = trade.refund ? trade.refund.status : trade.order.status
    const code = { paid: '00', succeeded: '00', failed: '36' }[state] ?? '05'
    return {
      respCode: '00',
      respMsg: 'ok',
      origRespCode: code,
      origRespMsg: state,
      queryId: trade.queryId,
      currencyCode: '156',
      txnAmt: trade.fields.txnAmt,
      settleAmt: trade.fields.txnAmt,
      settleCurrencyCode: '156',
      payCardType: '01',
      accNo: '6216***********0018',
      cardTransData: '{issuerIdentifyMode=0&tokenPayData=[a&b]}'
    }
  }

  giveBack (fields, books) {
    const paid = this.queries.get(fields.origQryId)
    if (!paid || paid.refund || paid.order.status !== 'paid') {
      return { respCode: '35', respMsg: 'the payment is in another state' }
    }
    const amount = Number(fields.txnAmt)
    if (amount > paid.order.amount - books.refunded(paid.order)
      || (fields.txnType === '31' && amount !== paid.order.amount)) {
      return { respCode: '36', respMsg: 'more than is left' }
    }
    const refund = books.refund(paid.order, fields.orderId, amount)
    refund.notifyUrl = fields.backUrl
    refund.txnType = fields.txnType
    const trade = this.keep(fields, paid.order, refund)
    return { respCode: '00', respMsg: 'ok', queryId: trade.queryId, origQryId: fields.origQryId, txnAmt: fields.txnAmt }
  }

  /* Who forges an answer tells the contrary. */
  lie (plain) {
    return 'origRespCode' in plain ? { origRespCode: plain.origRespCode === '00' ? '36' : '00' }
      : { respCode: plain.respCode === '00' ? '36' : '00' }
  }

  dress (plain, asked, bend) {
    const fields = Object.fromEntries(ECHOED.filter(name => name in asked.fields).map(name => [name, asked.fields[name]]))
    let all = { ...fields, ...plain }
    if (asked.door === 'frontTransReq') {
      return { status: 200, headers: { 'content-type': 'text/html' }, body: '<html><body>pay here</body></html>' }
    }
    if (bend === 'wrong_amount') {
      all = { ...all, txnAmt: String(Number(all.txnAmt ?? asked.amount ?? 0) + 1), settleAmt: '7' }
    } else if (bend === 'wrong_order') {
      all = { ...all, orderId: 'A0000000000000000000000000' }
    } else if (bend === 'other_mer') {
      all = { ...all, merId: '777290058110097' }
    } else if (bend === 'unknown_code') {
      all = 'origRespCode' in all ? { ...all, origRespCode: 'ZZ' } : { ...all, respCode: 'ZZ' }
    }
    if (NOT_GENUINE.has(bend)) {
      all = { ...all, ...this.lie(plain) }
    }
    all = signed(all, SIGNERS[bend] ?? this.signer)
    if (bend === 'bad_sign') {
      all.respMsg = 'changed on the way'
    } else if (bend === 'no_sign') {
      delete all.signature
    }
    return {
      status: 200,
      headers: { 'content-type': 'text/html;charset=UTF-8' },
      body: Object.entries(all).map(([name, value]) => `${name}=${value}`).join('&')
    }
  }

  notice (order, refund, bend) {
    const { fields, queryId, signer } = this.trades.get(refund?.number ?? order.number)
    let all = Object.fromEntries([...ECHOED, 'txnAmt', 'currencyCode', 'origQryId'].filter(name => name in fields)
      .map(name => [name, fields[name]]))
    all = { ...all, respCode: '00', respMsg: 'Success!', queryId, settleAmt: all.txnAmt, settleCurrencyCode: '156' }
    if (bend === 'wrong_amount') {
      all.txnAmt = all.settleAmt = String(Number(all.txnAmt) + 1)
    } else if (bend === 'other_mer') {
      all.merId = '777290058110097'
    } else if (bend === 'nobody') {
      all.orderId = 'A0000000000000000000000000'
      all.queryId = '822611231020309999999'
    }
    if (bend === 'other_method') { /* the same key, another digest */
      all.signMethod = all.signMethod === '12' ? '11' : '12'
      all.signature = shared(all, SECURE_KEY)
    } else {
      all = signed(all, SIGNERS[bend] ?? signer)
    }
    if (bend === 'tampered') {
      all.respMsg = 'changed on the way'
    } else if (bend === 'no_sign') {
      delete all.signature
    }
    const body = new URLSearchParams(all).toString()
    return {
      headers: { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' },
      body: bend === 'twice' ? `${body}&txnAmt=${all.txnAmt}` : body
    }
  }

  consoleRefund (order, refund) {
    const { fields, queryId } = this.trades.get(order.number)
    this.keep({
      ...fields,
      txnType: '04',
      txnSubType: '00',
      orderId: refund.number,
      origQryId: queryId,
      txnAmt: String(refund.amount)
    }, order, refund)
  }

  door (path, asked) {
    if (path === '/_signer') { /* {key, cert}: PEM */
      this.signer = asked
      return {}
    }
  }
}

selfCheck()
new Counterpart(new UnionPay()).listen()
