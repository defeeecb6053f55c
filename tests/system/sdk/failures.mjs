// Checks of what the SDK makes of failures: typed errors that are final, limits, timeouts, callers who leave, failover
// nobody sees, streams that break for good. Each is [name, check(world)]. What each model's provider does wrong stands
// in test_sdk.py, under the model's name.
import assert from 'node:assert/strict'
import OpenAI from 'openai'

/** The error a call ends with; its class must be exactly this one. */
async function caught(kind, call) {
  const error = await Promise.resolve(call).then(() => null, (e) => e)
  assert(error, `expected ${kind.name}, but the call succeeded`)
  assert.equal(error.constructor.name, kind.name, error.stack)
  return error
}

/** A refusal that says what is wrong, who was asked, and that asking again is no use. */
function is_final(error, status) {
  assert.equal(error.status, status, error.message)
  assert.equal(error.headers.get('x-should-retry'), 'false')
  assert.match(error.requestID ?? 'none', /^req_/, `no x-request-id with a ${status}`)
  assert(error.error.message && error.message.includes(error.error.message))
  assert.equal(typeof error.type, 'string')
}

const chat = (client, body, options) => client.chat.completions.create(body, options)

/** Model, class, status, code, calls at the provider; plain and streamed alike: no byte of a stream was sent yet. */
const final_failures = [
  ['provider-500', OpenAI.InternalServerError, 502, 'server_error', 2],
  ['provider-503', OpenAI.InternalServerError, 503, 'overloaded', 2],
  ['provider-resets', OpenAI.InternalServerError, 502, 'reset', 2],
  ['provider-sends-html', OpenAI.InternalServerError, 502, 'malformed', 2],
  ['provider-rejects-key', OpenAI.InternalServerError, 502, 'no_usable_key', 1],
  ['context-too-long', OpenAI.BadRequestError, 400, 'context_length_exceeded', 1],
  ['content-refused', OpenAI.BadRequestError, 400, 'content_filter', 1],
].flatMap((row) => [false, true].map((stream) => [...row, stream]))
  .map(([name, kind, status, code, asked, stream]) => [
    `a final failure is asked once and typed: ${name}, ${stream ? 'streamed' : 'plain'}`,
    async ({ client, ask, seen }) => {
      const model = `${name}-${stream ? 'streamed' : 'plain'}`
      const error = await caught(kind, chat(client, ask('x', { model, stream })))
      is_final(error, status)
      assert.equal(error.code, code)
      // The SDK would ask three times if it retried, and the provider would see three times as many calls.
      assert.equal((await seen(model)).length, asked)
      assert.equal(error.headers.get('x-mainstay-attempts'), String(asked))
      if (status === 503) assert(Number(error.headers.get('retry-after')) >= 1)
    },
  ])

const refused_bodies = [
  ['without messages', { messages: undefined }, 'messages'],
  ['with a text for messages', { messages: 'hello' }, 'messages'],
  ['with a number for a model', { model: 7 }, 'model'],
  ['with a text for stream', { stream: 'yes' }, 'stream'],
].map(([what, wrong, param]) => [`a body ${what} is a BadRequestError that names it`, async ({ client, ask }) => {
  const error = await caught(OpenAI.BadRequestError, chat(client, ask('x', wrong)))
  is_final(error, 400)
  assert.equal(error.param, param)
  assert.equal(error.type, 'invalid_request_error')
  assert(error.code)
}])

const times_out = ({ client, ask, slow }, more) =>
  caught(OpenAI.APIConnectionTimeoutError, chat(client, ask('x', more), { timeout: 300 * slow, maxRetries: 0 }))

const hung_up = [
  ['an abort before the first byte, plain', 'silent-plain', async (w, model) => {
    const leave = new AbortController()
    const call = chat(w.client, w.ask('x', { model }), { signal: leave.signal })
    await w.until('the provider was asked', async () => (await w.seen(model)).length, 5000)
    leave.abort()
    await caught(OpenAI.APIUserAbortError, call)
  }],
  ['an abort before the first byte, streamed', 'silent-stream', async (w, model) => {
    const leave = new AbortController()
    const call = chat(w.client, w.ask('x', { model, stream: true }), { signal: leave.signal })
    await w.until('the provider was asked', async () => (await w.seen(model)).length, 5000)
    leave.abort()
    await caught(OpenAI.APIUserAbortError, call)
  }],
  ['an abort in the middle of a stream', 'slow-signal', async (w, model) => {
    const leave = new AbortController()
    let chunks = 0
    for await (const _ of await chat(w.client, w.ask('x', { model, stream: true }), { signal: leave.signal })) {
      if (++chunks === 5) leave.abort()
    }
    assert(chunks >= 5 && chunks < 20, `${chunks} chunks`)
  }],
  ['a break out of for await', 'slow-break', async (w, model) => {
    let chunks = 0
    for await (const _ of await chat(w.client, w.ask('x', { model, stream: true }))) {
      if (++chunks === 5) break
    }
    assert.equal(chunks, 5)
  }],
  ['an abort of the stream helper', 'slow-helper', async (w, model) => {
    const stream = w.client.chat.completions.stream(w.ask('x', { model }))
    stream.on('content', () => stream.abort())
    await caught(OpenAI.APIUserAbortError, stream.finalChatCompletion())
    assert(stream.aborted)
  }],
  ["the client's own timeout, plain", 'silent-timeout-plain', (w, model) => times_out(w, { model })],
  ["the client's own timeout, streamed", 'silent-timeout-stream', (w, model) => times_out(w, { model, stream: true })],
].map(([name, model, leave]) => [`${name} ends the call at the provider within a second`, async (world) => {
  await leave(world, model)
  await world.left(model)
  assert.equal((await world.seen(model)).length, 1)
}])

const broken_for_good = ['cut-for-good', 'stalled-for-good', 'error-for-good'].map((model) => [
  `a stream that cannot be completed throws: ${model}`,
  async ({ client, ask, begun }) => {
    let text = ''
    const read = async () => {
      const stream = await chat(client, ask('x', { model, stream: true }))
      for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? ''
    }
    const error = await caught(OpenAI.APIError, read())
    begun('x', text)
    assert(error.error.message && error.code && error.type, JSON.stringify(error.error))
    assert.match(error.requestID, /^req_/)

    const stream = client.chat.completions.stream(ask('y', { model }))
    const heard = await caught(OpenAI.APIError, stream.finalChatCompletion())
    assert(stream.errored && heard.error.message)
  },
])

const rescued = ['cut-in-the-middle', 'stalled-in-the-middle', 'error-in-the-middle', 'provider-gone']
const unseen_failover = rescued.map((model) => [
  `failover is invisible: ${model}`,
  async ({ client, ask, complete, seen }) => {
    complete(`plain at ${model}`, (await chat(client, ask(`plain at ${model}`, { model }))).choices[0].message.content)
    const final = await client.chat.completions.stream(ask(`streamed at ${model}`, { model })).finalChatCompletion()
    complete(`streamed at ${model}`, final.choices[0].message.content)
    assert.equal(final.choices[0].finish_reason, 'stop')
    const failed = (await seen(model)).filter((e) => e.fault)
    assert(failed.some((e) => e.stream) && failed.some((e) => !e.stream), 'the provider never failed')
  },
])

export default [
  ...refused_bodies,

  ['a wrong key is an AuthenticationError', async ({ stranger, ask }) => {
    for (const what of ['plain', 'streamed', 'models']) {
      const body = ask('x', { stream: what === 'streamed' })
      const call = what === 'models' ? stranger.models.list() : chat(stranger, body)
      const error = await caught(OpenAI.AuthenticationError, call)
      is_final(error, 401)
      assert.equal(error.code, 'invalid_api_key')
    }
  }],

  ['an unknown model is a NotFoundError that names the known ones', async ({ client, ask }) => {
    for (const call of [() => chat(client, ask('x', { model: 'nope' })), () => client.models.retrieve('nope')]) {
      const error = await caught(OpenAI.NotFoundError, call())
      assert.deepEqual([error.param, error.code], ['model', 'model_not_found'])
      assert.match(error.message, /smart/)
      is_final(error, 404)
    }
  }],

  ['a path that is not served is a NotFoundError', async ({ client }) => {
    is_final(await caught(OpenAI.NotFoundError, client.get('/no/such/path')), 404)
  }],

  ['a body over the limit is a 413', async ({ client, ask }) => {
    const error = await caught(OpenAI.APIError, chat(client, ask('x'.repeat(3 << 19)), { maxRetries: 0 }))
    is_final(error, 413)
  }],

  ['a client over its limit gets a RateLimitError at once', async ({ limited, ask, complete }) => {
    for (const left of ['1', '0']) {
      const { data, response } = await chat(limited, ask('within the limit')).withResponse()
      complete('within the limit', data.choices[0].message.content)
      assert.equal(response.headers.get('x-ratelimit-limit-requests'), '2')
      assert.equal(response.headers.get('x-ratelimit-remaining-requests'), left)
    }
    for (const stream of [false, true]) {
      const began = performance.now()
      const error = await caught(OpenAI.RateLimitError, chat(limited, ask('over the limit', { stream })))
      is_final(error, 429)
      // Waiting for its retry-after, as the SDK does when it asks again, would take most of a minute.
      assert(performance.now() - began < 5000)
      const wait = Number(error.headers.get('retry-after'))
      assert(wait > 30 && wait <= 60, `retry-after: ${error.headers.get('retry-after')}`)
      assert.equal(error.headers.get('x-ratelimit-remaining-requests'), '0')
    }
  }],

  ...final_failures,

  ['a deadline that passes is a 504, plain and streamed', async ({ client, ask, left }) => {
    for (const stream of [false, true]) {
      const model = `silent-deadline-${stream}`
      const options = { headers: { 'x-mainstay-deadline-ms': '300' } }
      const error = await caught(OpenAI.InternalServerError, chat(client, ask('x', { model, stream }), options))
      is_final(error, 504)
      assert.equal(error.code, 'deadline')
      await left(model)
    }
  }],

  ['a provider that says nothing is a 504', async ({ client, ask, seen }) => {
    const body = ask('x', { model: 'provider-silent', stream: true })
    const error = await caught(OpenAI.InternalServerError, chat(client, body))
    is_final(error, 504)
    assert.equal(error.code, 'first_byte_timeout')
    assert.equal((await seen('provider-silent')).length, 1)
  }],

  ['a provider whose limit is used up is a RateLimitError with retry-after', async ({ client, ask, seen }) => {
    const options = { headers: { 'x-mainstay-deadline-ms': '2000' } }
    const error = await caught(OpenAI.RateLimitError, chat(client, ask('x', { model: 'provider-429' }), options))
    is_final(error, 429)
    const wait = Number(error.headers.get('retry-after'))
    assert(wait > 20 && wait <= 30, `retry-after: ${error.headers.get('retry-after')}`)
    assert.equal((await seen('provider-429')).length, 1)
  }],

  ...hung_up,

  ["a retry of the SDK's own reaches the provider as a second call", async ({ client, ask, seen, until, slow }) => {
    const model = 'silent-retry'
    const options = { timeout: 300 * slow, maxRetries: 1 }
    await caught(OpenAI.APIConnectionTimeoutError, chat(client, ask('x', { model }), options))
    const left = async () => (await seen(model)).filter((e) => e.outcome === 'client_left').length
    await until('both calls ended', async () => await left() === 2)
    assert.equal((await seen(model)).length, 2)
  }],

  ['a limited key is left for the other one', async ({ client, ask, complete, seen }) => {
    const sources = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
      const body = ask(`two keys ${i}`, { model: 'two-keys', stream: i % 2 === 0 })
      const { data, response } = await chat(client, body).withResponse()
      if (i % 2) complete(`two keys ${i}`, data.choices[0].message.content)
      else {
        let text = ''
        for await (const chunk of data) text += chunk.choices[0]?.delta?.content ?? ''
        complete(`two keys ${i}`, text)
      }
      return response.headers.get('x-mainstay-source')
    }))
    const refused = (await seen('two-keys')).filter((e) => e.status === 429)
    assert(refused.length >= 1 && refused.every((e) => e.key === 'secret-two-keys-k1'), `${refused.length} refused`)
    assert(sources.includes('backup') && sources.every((s) => s === 'primary' || s === 'backup'), sources.join())
  }],

  ...unseen_failover,

  ['a provider killed in the middle of a stream is not noticed', async ({ client, ask, complete, please }) => {
    const open = (_, i) => client.chat.completions.stream(ask(`killed under ${i}`, { model: 'dying' }))
    const streams = Array.from({ length: 5 }, open)
    const first_words = streams.map((s) => new Promise((resolve, reject) => {
      s.on('content', (_, snapshot) => snapshot.split(' ').length > 4 && resolve())
      s.on('error', reject)
    }))
    await Promise.all(first_words)
    assert(streams.every((s) => !s.ended))
    please('kill dying')
    for (const [i, stream] of streams.entries()) {
      const { choices } = await stream.finalChatCompletion()
      complete(`killed under ${i}`, choices[0].message.content)
      assert.equal(choices[0].finish_reason, 'stop')
    }
    const { data, response } = await chat(client, ask('after the kill', { model: 'dying' })).withResponse()
    complete('after the kill', data.choices[0].message.content)
    assert.equal(response.headers.get('x-mainstay-source'), 'fallback')
  }],

  ...broken_for_good,

  ['after all that the client still works', async ({ client, ask, complete }) => {
    complete('and now', (await chat(client, ask('and now'))).choices[0].message.content)
  }],
]
