// node dialects_in.mjs PORT KEY: what the SDKs' helpers make of the other dialects at the door: streams put together, loops of tools, errors,
// ids, leaving. One line per check; run by tests/system/test_dialects_in.py.
import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'

const [port, key] = process.argv.slice(2)
const anthropic = new Anthropic({ baseURL: `http://127.0.0.1:${port}`, apiKey: key, maxRetries: 0 })
const openai = new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: key, maxRetries: 0 })
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const tool = { name: 'weather', description: 'of a city', input_schema: schema }
const fn = { type: 'function', name: 'weather', parameters: schema, strict: false }
const ask = (question, more = {}) => ({ model: 'smart', max_tokens: 1000, messages: [{ role: 'user', content: question }], ...more })
const CALL_ME = 'Please use the tool for Lisbon'

const checks = {
  async 'messages: the stream helper hears every piece and puts them together'() {
    const stream = anthropic.messages.stream(ask('the helper hears 日本語 😀'))
    let text = '', blocks = 0
    stream.on('text', (piece) => { text += piece })
    stream.on('contentBlock', () => blocks++)
    const message = await stream.finalMessage()
    assert.equal(text, message.content[0].text)
    assert.match(text, /^echo: the helper hears 日本語 😀 \| /)
    assert.deepEqual([blocks, message.stop_reason, message.usage.output_tokens], [1, 'end_turn', 60])
    assert(message.usage.input_tokens > 0)
  },
  async 'messages: a loop of tools, streamed'() {
    const messages = [{ role: 'user', content: CALL_ME }]
    const first = await anthropic.messages.stream(ask('', { messages, tools: [tool] })).finalMessage()
    const call = first.content.at(-1)
    assert.deepEqual([first.stop_reason, call.type, call.name, call.input], ['tool_use', 'tool_use', 'weather', { city: 'Lisbon' }])
    messages.push({ role: 'assistant', content: first.content }, { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'rain' }] })
    const second = await anthropic.messages.create(ask('', { messages, tools: [tool] }))
    assert.match(second.content[0].text, /^echo: Please use the tool for Lisbon \| /)
  },
  async 'messages: tokens are counted, and the request has a name'() {
    const counted = await anthropic.messages.countTokens({ model: 'smart', messages: [{ role: 'user', content: 'four words stand here' }], tools: [tool] })
    assert(counted.input_tokens > 4)
    assert.match((await anthropic.messages.create(ask('a name')))._request_id, /^req_/)
  },
  async 'models: the list, one of them and none, in the words of either'() {
    const ids = []
    for await (const model of anthropic.models.list()) assert.deepEqual([model.type, model.display_name], ['model', model.id]), ids.push(model.id)
    const page = await anthropic.models.list({ limit: 1000 })
    assert.deepEqual([ids[0], page.has_more, page.first_id, page.last_id, page.data.length], ['smart', false, 'smart', ids.at(-1), ids.length])
    const one = await anthropic.models.retrieve('smart')
    assert.deepEqual([one.type, one.id, Number.isNaN(Date.parse(one.created_at))], ['model', 'smart', false])
    await assert.rejects(anthropic.models.retrieve('nope'), (e) => e instanceof Anthropic.NotFoundError && e.error.error.type === 'not_found_error')
    await assert.rejects(new Anthropic({ baseURL: anthropic.baseURL, apiKey: 'nobody-knows-it', maxRetries: 0 }).models.list(), (e) => e instanceof Anthropic.AuthenticationError && e.error.error.type === 'authentication_error')
    assert.equal((await openai.models.retrieve('smart')).object, 'model')
  },
  async 'messages: errors are of their classes'() {
    await assert.rejects(anthropic.messages.create(ask('x', { model: 'nope' })), (e) => e instanceof Anthropic.NotFoundError && e.error.error.type === 'not_found_error' && e.requestID.startsWith('req_'))
    await assert.rejects(anthropic.messages.create(ask('x', { tool_choice: { type: 'maybe' } })), Anthropic.BadRequestError)
    await assert.rejects(new Anthropic({ baseURL: anthropic.baseURL, apiKey: 'nobody-knows-it', maxRetries: 0 }).messages.create(ask('x')), Anthropic.AuthenticationError)
    await assert.rejects(anthropic.messages.create(ask('x', { model: 'broken' })), Anthropic.InternalServerError)
    await assert.rejects(anthropic.messages.stream(ask('x', { model: 'cut' })).finalMessage(), (e) => e instanceof Anthropic.APIError && e.error.error.type === 'api_error')
  },
  async 'messages: whoever aborts is let go'() {
    const stream = anthropic.messages.stream(ask('abort', { model: 'slow' }))
    stream.once('text', () => stream.abort())
    await assert.rejects(stream.finalMessage(), Anthropic.APIUserAbortError)
  },
  async 'responses: the stream helper, and the output text'() {
    const stream = openai.responses.stream({ model: 'smart', input: 'the helper of responses 日本語' })
    let text = ''
    stream.on('response.output_text.delta', (e) => { text += e.delta, assert.equal(e.snapshot, text) })
    const final = await stream.finalResponse()
    assert.equal(final.output_text, text)
    assert.match(text, /^echo: the helper of responses 日本語 \| /)
    assert.deepEqual([final.status, final.usage.output_tokens, final.store], ['completed', 60, false])
  },
  async 'responses: a loop of functions, streamed'() {
    const input = [{ role: 'user', content: CALL_ME }]
    const first = await openai.responses.stream({ model: 'smart', input, tools: [fn] }).finalResponse()
    const call = first.output.find((o) => o.type === 'function_call')
    assert.deepEqual([call.name, JSON.parse(call.arguments)], ['weather', { city: 'Lisbon' }])
    const second = await openai.responses.create({ model: 'smart', input: [...input, ...first.output, { type: 'function_call_output', call_id: call.call_id, output: 'rain' }], tools: [fn] })
    assert.match(second.output_text, /^echo: Please use the tool for Lisbon \| /)
  },
  async 'responses: nothing is kept, and errors are of their classes'() {
    await assert.rejects(openai.responses.create({ model: 'smart', input: 'x', store: true }), (e) => e instanceof OpenAI.BadRequestError && e.param === 'store')
    await assert.rejects(openai.responses.retrieve('resp_1'), OpenAI.NotFoundError)
    await assert.rejects(openai.responses.create({ model: 'nope', input: 'x' }), OpenAI.NotFoundError)
    const seen = []
    for await (const event of await openai.responses.create({ model: 'cut', input: 'x', stream: true })) seen.push(event.type)
    assert.deepEqual(seen.slice(-2), ['error', 'response.failed'])
  },
  async 'completions: plain, streamed and broken'() {
    const plain = await openai.completions.create({ model: 'smart', prompt: 'a prompt' })
    assert.match(plain.choices[0].text, /^echo: a prompt \| /)
    let text = ''
    for await (const chunk of await openai.completions.create({ model: 'smart', prompt: 'a prompt', stream: true })) text += chunk.choices[0]?.text ?? ''
    assert.equal(text, plain.choices[0].text)
    await assert.rejects(async () => { for await (const _ of await openai.completions.create({ model: 'cut', prompt: 'x', stream: true })); }, OpenAI.APIError)
    await assert.rejects(openai.completions.create({ model: 'smart', prompt: 'x', echo: true }), OpenAI.BadRequestError)
  },
}

let failed = 0
for (const [name, check] of Object.entries(checks)) {
  let timer
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('hangs')), 15000 * Number(process.env.MAINSTAY_SLOW ?? 1)) })
  try {
    await Promise.race([check(), late])
    console.log(`ok   ${name}`)
  } catch (e) {
    failed++
    console.log(`FAIL ${name}\n${e.stack ?? e}`)
  }
  clearTimeout(timer)
}
process.exit(failed ? 1 : 0)
