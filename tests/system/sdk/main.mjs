// Runs the checks of answers.mjs and failures.mjs against a running gateway:
//   node main.mjs BASE_URL KEY LIMITED_KEY MOCK_URL [part of a check's name]
// One line per check, "ok" or "FAIL" with the reason; the last line is a JSON summary. A line "please: kill NAME" asks
// whoever started this to end that provider. The clients are the official SDK with baseURL and apiKey set, no more.
import assert from 'node:assert/strict'
import OpenAI from 'openai'
import answers from './answers.mjs'
import failures from './failures.mjs'

const [baseURL, apiKey, limitedKey, mock, only = ''] = process.argv.slice(2)
assert(mock, 'usage: node main.mjs BASE_URL KEY LIMITED_KEY MOCK_URL [part of a name]')
const slow = Number(process.env.MAINSTAY_SLOW ?? 1) // sanitizers: patience times so much
// [question, answer]: whoever started this knows the words each question must be answered with.
const complete = [], begun = []

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const world = {
  baseURL,
  client: new OpenAI({ baseURL, apiKey }),
  limited: new OpenAI({ baseURL, apiKey: limitedKey }),
  stranger: new OpenAI({ baseURL, apiKey: 'nobody-knows-this-key' }),

  /** The same body for every check; the question tells the requests apart. */
  ask: (question, more = {}) => ({ model: 'smart', messages: [{ role: 'user', content: question }], ...more }),

  /** Hands a complete answer of 60 words on for comparison word by word. */
  complete(question, text) {
    assert.equal(typeof text, 'string')
    complete.push([question, text])
  },

  /** Likewise what was received of an answer that broke off. */
  begun: (question, text) => begun.push([question, text]),

  /** The provider's log of one model. */
  async seen(model) {
    const answer = await fetch(`${mock}/mock/log?model=${encodeURIComponent(model)}`)
    const body = await answer.json()
    return body.requests ?? body
  },

  /** Polls until the value is true; fails after that many milliseconds. */
  async until(what, value, ms = 1000) {
    for (const end = performance.now() + ms * slow; ; await pause(10)) {
      const got = await value()
      if (got) return got
      assert(performance.now() < end, `not within ${ms * slow} ms: ${what}`)
    }
  },

  /** The provider saw this model's caller leave, within a second from now. */
  async left(model) {
    const gone = async () => (await world.seen(model)).at(-1)?.outcome === 'client_left'
    return world.until(`the provider of ${model} sees the caller leave`, gone)
  },

  please: (what) => console.log(`please: ${what}`),
  slow,
}

async function run([name, check]) {
  const began = performance.now()
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`hangs for ${15 * slow} s`)), 15000 * slow)
  })
  let reason = null
  try {
    await Promise.race([check(world), late])
  } catch (e) {
    reason = `${e.stack ?? e}`
  }
  clearTimeout(timer)
  const ms = Math.round(performance.now() - began)
  console.log(`${reason ? 'FAIL' : 'ok  '} ${String(ms).padStart(5)} ms  ${name}${reason ? `\n      ${reason}` : ''}`)
  return { name, ms, reason }
}

const results = []
process.on('unhandledRejection', (e) => results.push({ name: 'no error goes unheard', reason: `${e?.stack ?? e}` }))
for (const check of [...answers, ...failures].filter(([name]) => name.includes(only))) results.push(await run(check))
const failed = results.filter((r) => r.reason)
const counts = { checks: results.length, passed: results.length - failed.length }
console.log(JSON.stringify({ node: process.version, ...counts, failed, complete, begun }))
process.exit(failed.length || !results.length ? 1 : 0)
