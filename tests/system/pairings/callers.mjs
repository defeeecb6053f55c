// The callers: official SDKs, each asked one thing in its own words and heard in one form:
//   {text, calls: [{id, name, input}], thoughts, why, usage: {input, output, cached, reasoning}, pieces}
// `ask`: {model, system, turns: [{user, image, calls, results, assistant}], tools, choice, schema, stop, cap, think}.
// A caller's `cannot` names the features that its API has no words for.
import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'

const parse = (text) => (text === '' ? {} : JSON.parse(text))

// -- OpenAI's chat completions

function chatBody(ask) {
  const messages = ask.system ? [{ role: 'system', content: ask.system }] : []
  for (const turn of ask.turns) {
    if (turn.calls)
      messages.push({ role: 'assistant', content: null, tool_calls: turn.calls.map((c) => ({ id: c.id, type: 'function', function: { name: c.name, arguments: JSON.stringify(c.input) } })) })
    else if (turn.results) for (const r of turn.results) messages.push({ role: 'tool', tool_call_id: r.id, content: r.text })
    else if (turn.assistant) messages.push({ role: 'assistant', content: turn.assistant })
    else if (turn.image) messages.push({ role: 'user', content: [{ type: 'text', text: turn.user }, { type: 'image_url', image_url: { url: `data:image/png;base64,${turn.image}` } }] })
    else messages.push({ role: 'user', content: turn.user })
  }
  const body = { model: ask.model, messages }
  if (ask.tools) body.tools = ask.tools.map((t) => ({ type: 'function', function: { name: t.name, description: t.description, parameters: t.schema } }))
  if (ask.choice) body.tool_choice = { auto: 'auto', any: 'required', none: 'none' }[ask.choice] ?? { type: 'function', function: { name: ask.choice } }
  if (ask.schema) body.response_format = { type: 'json_schema', json_schema: { name: 'answer', schema: ask.schema } }
  if (ask.stop) body.stop = ask.stop
  if (ask.cap) body.max_completion_tokens = ask.cap
  if (ask.think) body.reasoning_effort = 'low'
  if (ask.user) body.user = ask.user
  return { ...body, ...ask.more }
}

const chatUsage = (u) => u && { input: u.prompt_tokens, output: u.completion_tokens, cached: u.prompt_tokens_details?.cached_tokens ?? 0, reasoning: u.completion_tokens_details?.reasoning_tokens ?? 0 }
const chatWhy = { stop: 'end', length: 'cap', tool_calls: 'calls', content_filter: 'filtered' }

function chat(world) {
  const client = new OpenAI({ baseURL: world.openai, apiKey: world.key, maxRetries: 0 })
  return {
    name: 'chat', cannot: [],
    async plain(ask) {
      const got = await client.chat.completions.create(chatBody(ask))
      const { message, finish_reason } = got.choices[0]
      return {
        text: message.content ?? '', thoughts: message.reasoning_content ?? '', why: chatWhy[finish_reason], usage: chatUsage(got.usage),
        calls: (message.tool_calls ?? []).map((c) => ({ id: c.id, name: c.function.name, input: parse(c.function.arguments) })),
      }
    },
    async stream(ask) {
      const out = { text: '', thoughts: '', pieces: 0, usage: null, why: null }, calls = []
      for await (const chunk of await client.chat.completions.create({ ...chatBody(ask), stream: true, stream_options: { include_usage: true } })) {
        if (chunk.usage) out.usage = chatUsage(chunk.usage)
        const choice = chunk.choices[0]
        if (!choice) continue
        const { delta } = choice
        if (delta.content) out.text += delta.content, out.pieces++
        if (delta.reasoning_content) out.thoughts += delta.reasoning_content
        for (const c of delta.tool_calls ?? []) {
          const call = (calls[c.index] ??= { id: '', name: '', text: '', pieces: 0 })
          if (c.id) call.id = c.id
          if (c.function?.name) call.name = c.function.name
          if (c.function?.arguments) call.text += c.function.arguments, call.pieces++
        }
        if (choice.finish_reason) out.why = chatWhy[choice.finish_reason]
      }
      return { ...out, calls: calls.map((c) => ({ id: c.id, name: c.name, input: parse(c.text), pieces: c.pieces })) }
    },
    fault: (e) => ({ status: e.status, message: e.message, kind: e.constructor.name }),
  }
}

// -- OpenAI's legacy completions: a prompt, a text

function completions(world) {
  const client = new OpenAI({ baseURL: world.openai, apiKey: world.key, maxRetries: 0 })
  const body = (ask) => ({ model: ask.model, prompt: ask.turns[0].user, ...(ask.stop && { stop: ask.stop }), ...(ask.cap && { max_tokens: ask.cap }), ...(ask.user && { user: ask.user }) })
  return {
    name: 'completions', cannot: ['system', 'turns', 'tool', 'named tool', 'parallel tools', 'tool result', 'image', 'schema', 'thoughts'],
    async plain(ask) {
      const got = await client.completions.create(body(ask))
      return { text: got.choices[0].text, calls: [], thoughts: '', why: chatWhy[got.choices[0].finish_reason], usage: chatUsage(got.usage) }
    },
    async stream(ask) {
      const out = { text: '', calls: [], thoughts: '', pieces: 0, usage: null, why: null }
      for await (const chunk of await client.completions.create({ ...body(ask), stream: true, stream_options: { include_usage: true } })) {
        if (chunk.usage) out.usage = chatUsage(chunk.usage)
        const choice = chunk.choices[0]
        if (choice?.text) out.text += choice.text, out.pieces++
        if (choice?.finish_reason) out.why = chatWhy[choice.finish_reason]
      }
      return out
    },
    fault: (e) => ({ status: e.status, message: e.message, kind: e.constructor.name }),
  }
}

// -- OpenAI's Responses

function responsesBody(ask) {
  const input = []
  for (const turn of ask.turns) {
    if (turn.calls) for (const c of turn.calls) input.push({ type: 'function_call', call_id: c.id, name: c.name, arguments: JSON.stringify(c.input) })
    else if (turn.results) for (const r of turn.results) input.push({ type: 'function_call_output', call_id: r.id, output: r.text })
    else if (turn.assistant) input.push({ role: 'assistant', content: turn.assistant })
    else if (turn.image) input.push({ role: 'user', content: [{ type: 'input_text', text: turn.user }, { type: 'input_image', detail: 'auto', image_url: `data:image/png;base64,${turn.image}` }] })
    else input.push({ role: 'user', content: turn.user })
  }
  const body = { model: ask.model, input }
  if (ask.system) body.instructions = ask.system
  if (ask.tools) body.tools = ask.tools.map((t) => ({ type: 'function', name: t.name, description: t.description, parameters: t.schema, strict: false }))
  if (ask.choice) body.tool_choice = { auto: 'auto', any: 'required', none: 'none' }[ask.choice] ?? { type: 'function', name: ask.choice }
  if (ask.schema) body.text = { format: { type: 'json_schema', name: 'answer', schema: ask.schema } }
  if (ask.cap) body.max_output_tokens = ask.cap
  if (ask.think) body.reasoning = { effort: 'low' }
  if (ask.user) body.user = ask.user
  return body
}

function heardOfResponse(got) {
  const calls = got.output.filter((o) => o.type === 'function_call').map((c) => ({ id: c.call_id, name: c.name, input: parse(c.arguments) }))
  const u = got.usage
  return {
    text: got.output_text, calls,
    thoughts: got.output.filter((o) => o.type === 'reasoning').flatMap((o) => [...(o.summary ?? []), ...(o.content ?? [])]).map((p) => p.text).join(''),
    why: got.status === 'incomplete' ? { max_output_tokens: 'cap', content_filter: 'filtered' }[got.incomplete_details?.reason] : calls.length ? 'calls' : 'end',
    usage: u && { input: u.input_tokens, output: u.output_tokens, cached: u.input_tokens_details.cached_tokens, reasoning: u.output_tokens_details.reasoning_tokens },
  }
}

function responses(world) {
  const client = new OpenAI({ baseURL: world.openai, apiKey: world.key, maxRetries: 0 })
  return {
    name: 'responses', cannot: ['stop'],
    async plain(ask) {
      return heardOfResponse(await client.responses.create(responsesBody(ask)))
    },
    async stream(ask) {
      const pieces = { text: 0 }, parts = {}
      let text = '', last, next = 0
      for await (const event of await client.responses.create({ ...responsesBody(ask), stream: true })) {
        assert.equal(event.sequence_number, next++)
        if (event.type === 'response.output_text.delta') text += event.delta, pieces.text++
        if (event.type === 'response.function_call_arguments.delta') parts[event.output_index] = (parts[event.output_index] ?? 0) + 1
        if (event.type === 'error' || event.type === 'response.failed') throw Object.assign(new Error(JSON.stringify(event)), { status: undefined })
        if (['response.completed', 'response.incomplete'].includes(event.type)) last = event.response
      }
      assert(last, 'the stream has no end')
      last.output_text ??= last.output.filter((o) => o.type === 'message').flatMap((o) => o.content).map((p) => p.text ?? '').join('')
      const out = heardOfResponse(last)
      assert.equal(text, out.text, 'the pieces are the whole')
      const told = Object.values(parts)
      return { ...out, pieces: pieces.text, calls: out.calls.map((c, i) => ({ ...c, pieces: told[i] })) }
    },
    fault: (e) => ({ status: e.status, message: e.message, kind: e.constructor.name }),
  }
}

// -- Anthropic's Messages

function messagesBody(ask) {
  const messages = []
  for (const turn of ask.turns) {
    if (turn.calls) messages.push({ role: 'assistant', content: turn.calls.map((c) => ({ type: 'tool_use', id: c.id, name: c.name, input: c.input })) })
    else if (turn.results) messages.push({ role: 'user', content: turn.results.map((r) => ({ type: 'tool_result', tool_use_id: r.id, content: r.text })) })
    else if (turn.assistant) messages.push({ role: 'assistant', content: turn.assistant })
    else if (turn.image) messages.push({ role: 'user', content: [{ type: 'text', text: turn.user }, { type: 'image', source: { type: 'base64', media_type: 'image/png', data: turn.image } }] })
    else messages.push({ role: 'user', content: turn.user })
  }
  const body = { model: ask.model, max_tokens: ask.cap ?? 4096, messages }
  if (ask.system) body.system = ask.system
  if (ask.tools) body.tools = ask.tools.map((t) => ({ name: t.name, description: t.description, input_schema: t.schema }))
  if (ask.choice) body.tool_choice = ['auto', 'any', 'none'].includes(ask.choice) ? { type: ask.choice } : { type: 'tool', name: ask.choice }
  if (ask.schema) body.output_config = { format: { type: 'json_schema', schema: ask.schema } }
  if (ask.stop) body.stop_sequences = [ask.stop].flat()
  if (ask.think) body.thinking = { type: 'enabled', budget_tokens: 1024 }
  if (ask.user) body.metadata = { user_id: ask.user }
  return body
}

const messagesWhy = { end_turn: 'end', stop_sequence: 'end', max_tokens: 'cap', tool_use: 'calls', refusal: 'filtered' }

function heardOfMessage(got) {
  const of = (type) => got.content.filter((b) => b.type === type)
  const u = got.usage
  return {
    text: of('text').map((b) => b.text).join(''), thoughts: of('thinking').map((b) => b.thinking).join(''), why: messagesWhy[got.stop_reason],
    calls: of('tool_use').map((b) => ({ id: b.id, name: b.name, input: b.input })),
    usage: u && { input: u.input_tokens + (u.cache_read_input_tokens ?? 0) + (u.cache_creation_input_tokens ?? 0), output: u.output_tokens, cached: u.cache_read_input_tokens ?? 0, reasoning: 0 },
  }
}

function messages(world) {
  const client = new Anthropic({ baseURL: world.anthropic, apiKey: world.key, maxRetries: 0 })
  return {
    name: 'messages', cannot: [],
    async plain(ask) {
      return heardOfMessage(await client.messages.create(messagesBody(ask)))
    },
    async stream(ask) {
      const parts = []
      let pieces = 0
      const stream = client.messages.stream(messagesBody(ask))
      stream.on('text', () => pieces++)
      stream.on('streamEvent', (e) => {
        if (e.type === 'content_block_delta' && e.delta.type === 'input_json_delta' && e.delta.partial_json) parts[e.index] = (parts[e.index] ?? 0) + 1
      })
      const out = heardOfMessage(await stream.finalMessage())
      const told = parts.filter((n) => n)
      return { ...out, pieces, calls: out.calls.map((c, i) => ({ ...c, pieces: told[i] })) }
    },
    fault: (e) => ({ status: e.status, message: e.message, kind: e.constructor.name }),
  }
}

export default (world) => [chat(world), responses(world), messages(world), completions(world)]
