// Checks of what the SDK makes of good answers: plain, streamed, through its helpers, with tools, JSON, several
// choices, many at once; models and headers. Each is [name, check(world)] and throws when something is wrong.
import assert from 'node:assert/strict'
import OpenAI from 'openai'

const weather = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'the weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}
const call_me = 'Please use the tool for Lisbon'

async function collect(stream) {
  const chunks = []
  for await (const chunk of stream) chunks.push(chunk)
  return { chunks, text: chunks.map((c) => c.choices[0]?.delta?.content ?? '').join('') }
}

function tools_that_note(calls) {
  const run = ({ city }) => {
    calls.push(city)
    return `rain in ${city}`
  }
  return [{ ...weather, function: { ...weather.function, function: run, parse: JSON.parse } }]
}

export default [
  ['a plain chat', async ({ client, ask, complete }) => {
    const answer = await client.chat.completions.create(ask('a plain question'))
    complete('a plain question', answer.choices[0].message.content)
    assert.equal(answer.object, 'chat.completion')
    assert.equal(answer.choices[0].message.role, 'assistant')
    assert.equal(answer.choices[0].finish_reason, 'stop')
    assert.equal(answer.usage.completion_tokens, 60)
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + 60)
  }],

  ['the environment alone configures a client', async ({ baseURL, client, ask, complete }) => {
    Object.assign(process.env, { OPENAI_BASE_URL: baseURL, OPENAI_API_KEY: client.apiKey })
    const fresh = new OpenAI()
    for (const name of ['OPENAI_BASE_URL', 'OPENAI_API_KEY']) delete process.env[name]
    const answer = await fresh.chat.completions.create(ask('asked by the environment'))
    complete('asked by the environment', answer.choices[0].message.content)
  }],

  ['a stream, read with for await', async ({ client, ask, complete }) => {
    const question = 'a streamed question with café, 日本語 and 😀 in it'
    const { chunks, text } = await collect(await client.chat.completions.create(ask(question, { stream: true })))
    complete(question, text)
    assert.equal(chunks.filter((c) => c.choices[0]?.delta?.role).length, 1)
    assert.equal(chunks.filter((c) => c.choices[0]?.finish_reason === 'stop').length, 1)
    assert.equal(new Set(chunks.map((c) => c.id)).size, 1)
    assert(chunks.every((c) => c.object === 'chat.completion.chunk' && c.choices.length === 1 && !c.usage))
  }],

  ['a stream that asks for usage gets it once, at the end', async ({ client, ask, complete }) => {
    const body = ask('how much was that', { stream: true, stream_options: { include_usage: true } })
    const { chunks, text } = await collect(await client.chat.completions.create(body))
    complete('how much was that', text)
    const last = chunks.at(-1)
    assert.deepEqual(last.choices, [])
    assert.equal(last.usage.completion_tokens, 60)
    assert.equal(last.usage.prompt_tokens, 4)
    assert.equal(chunks.filter((c) => c.usage).length, 1)
  }],

  ['a stream split in two by tee is whole in both', async ({ client, ask, complete }) => {
    const halves = (await client.chat.completions.create(ask('for two readers', { stream: true }))).tee()
    for (const { text } of await Promise.all(halves.map(collect))) complete('for two readers', text)
  }],

  ['the stream helper: events and the final completion', async ({ client, ask, complete }) => {
    const stream = client.chat.completions.stream(ask('the helper', { stream_options: { include_usage: true } }))
    const heard = { content: 0, chunk: 0, connect: 0, end: 0, done: 0, delta: '', snapshot: '' }
    for (const event of ['connect', 'chunk', 'end']) stream.on(event, () => heard[event]++)
    stream.on('content', (delta, snapshot) => {
      heard.content++
      heard.delta += delta
      heard.snapshot = snapshot
    })
    stream.on('content.done', ({ content }) => {
      heard.done++
      assert.equal(content, heard.snapshot)
    })
    const final = await stream.finalChatCompletion()
    complete('the helper', final.choices[0].message.content)
    complete('the helper', heard.delta)
    complete('the helper', await stream.finalContent())
    assert.deepEqual([heard.connect, heard.end, heard.done], [1, 1, 1])
    assert(heard.content >= 60 && heard.chunk > heard.content)
    assert.equal(final.choices[0].finish_reason, 'stop')
    assert.equal((await stream.totalUsage()).completion_tokens, 60)
  }],

  ['a tool call, plain', async ({ client, ask }) => {
    const { choices } = await client.chat.completions.create(ask(call_me, { tools: [weather] }))
    assert.equal(choices[0].finish_reason, 'tool_calls')
    const [call] = choices[0].message.tool_calls
    assert.equal(call.function.name, 'weather')
    assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Lisbon' })
  }],

  ['a tool call, streamed: the helper puts the arguments together', async ({ client, ask }) => {
    const stream = client.chat.completions.stream(ask(call_me, { tools: [weather] }))
    let pieces = '', done = null
    stream.on('tool_calls.function.arguments.delta', (event) => { pieces += event.arguments_delta })
    stream.on('tool_calls.function.arguments.done', (event) => { done = event })
    const { choices } = await stream.finalChatCompletion()
    const [call] = choices[0].message.tool_calls
    assert.equal(choices[0].finish_reason, 'tool_calls')
    assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Lisbon' })
    assert.equal(pieces, call.function.arguments)
    assert.deepEqual([done.name, done.arguments], ['weather', pieces])
    assert(call.id)
  }],

  ['a tool loop, plain', async ({ client, ask }) => {
    const calls = []
    const runner = client.chat.completions.runTools(ask(call_me, { tools: tools_that_note(calls) }))
    assert.match(await runner.finalContent(), /^echo: Please use the tool for Lisbon \| /)
    assert.deepEqual(calls, ['Lisbon'])
    assert.deepEqual(runner.messages.map((m) => m.role), ['user', 'assistant', 'tool', 'assistant'])
  }],

  ['a tool loop, streamed', async ({ client, ask }) => {
    const calls = []
    const runner = client.chat.completions.runTools(ask(call_me, { stream: true, tools: tools_that_note(calls) }))
    let heard = ''
    runner.on('content', (delta) => { heard += delta })
    const final = await runner.finalContent()
    assert.match(final, /^echo: Please use the tool for Lisbon \| /)
    assert.equal(heard, final)
    assert.deepEqual(calls, ['Lisbon'])
    assert.equal(await runner.finalFunctionToolCallResult(), 'rain in Lisbon')
  }],

  ['fifty at once, plain and streamed, each with its own answer', async ({ client, ask, complete }) => {
    await Promise.all(Array.from({ length: 50 }, async (_, i) => {
      const question = `number ${i} of fifty`
      if (i % 2) return complete(question, await client.chat.completions.stream(ask(question)).finalContent())
      complete(question, (await client.chat.completions.create(ask(question))).choices[0].message.content)
    }))
  }],

  ['JSON mode, plain and streamed', async ({ client, ask }) => {
    const schema = { type: 'object', properties: { echo: { type: 'string' }, words: { type: 'string' } } }
    const formats = [{ type: 'json_object' }, { type: 'json_schema', json_schema: { name: 'reply', schema } }]
    for (const response_format of formats) {
      const body = ask('answer in json', { response_format })
      const plain = JSON.parse((await client.chat.completions.create(body)).choices[0].message.content)
      assert.equal(plain.echo, 'answer in json')
      assert.equal(plain.words.split(' ').length, 5)
      assert.deepEqual(JSON.parse(await client.chat.completions.stream(body).finalContent()), plain)
    }
  }],

  ['two choices, plain and streamed', async ({ client, ask, complete }) => {
    const body = ask('say it twice', { n: 2 })
    const plain = await client.chat.completions.create(body)
    const streamed = await client.chat.completions.stream(body).finalChatCompletion()
    for (const { choices } of [plain, streamed]) {
      assert.deepEqual(choices.map((c) => [c.index, c.finish_reason]), [[0, 'stop'], [1, 'stop']])
      complete('say it twice', choices[0].message.content)
      assert.equal(choices[1].message.content.split(' ').length, 60)
      assert.notEqual(choices[0].message.content, choices[1].message.content)
    }
    assert.equal(plain.choices[1].message.content, streamed.choices[1].message.content)
  }],

  ['max_tokens ends an answer with the finish reason length', async ({ client, ask }) => {
    const { choices, usage } = await client.chat.completions.create(ask('be short', { max_completion_tokens: 7 }))
    assert.equal(choices[0].message.content.split(' ').length, 7)
    assert.deepEqual([choices[0].finish_reason, usage.completion_tokens], ['length', 7])
  }],

  ['the list of models, and one of them', async ({ client }) => {
    const ids = []
    for await (const model of client.models.list()) ids.push(model.id)
    assert(ids.includes('smart') && ids.includes('cut-in-the-middle'))
    assert.equal(new Set(ids).size, ids.length)
    const one = await client.models.retrieve('smart').withResponse()
    assert.deepEqual([one.data.id, one.data.object], ['smart', 'model'])
    assert.match(one.request_id ?? 'none', /^req_/, 'no x-request-id with a model')
  }],

  ['withResponse shows the request id and the labels', async ({ client, ask, complete }) => {
    const { data, response, request_id } = await client.chat.completions.create(ask('which headers')).withResponse()
    complete('which headers', data.choices[0].message.content)
    const stream = await client.chat.completions.create(ask('which headers', { stream: true })).withResponse()
    complete('which headers', (await collect(stream.data)).text)
    for (const { headers } of [response, stream.response]) {
      assert.match(headers.get('x-request-id'), /^req_/)
      const label = (name) => headers.get(`x-mainstay-${name}`)
      const labels = ['source', 'provider', 'model', 'attempts', 'degraded'].map(label)
      assert.deepEqual(labels, ['primary', 'good', 'big-model', '1', 'false'])
      assert.match(label('latency-ms'), /^\d+$/)
    }
    assert.equal(request_id, response.headers.get('x-request-id'))
    assert.equal(data._request_id, request_id)
    assert.notEqual(stream.request_id, request_id)
    assert.match(stream.response.headers.get('content-type'), /^text\/event-stream/)
  }],
]
