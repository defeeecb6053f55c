// What is asked through every caller of every provider, plain and streamed, and what must come of it. The fake providers
// answer with words that follow from the conversation: whatever is lost on the way changes them.
import assert from 'node:assert/strict'

export const SYSTEM = 'You are a lighthouse.'
const WEATHER = { name: 'get_weather', description: 'The weather of a city', schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } }
const TIME = { name: 'get_time', description: 'The time in a place', schema: { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] } }
const SCHEMA = { type: 'object', properties: { echo: { type: 'string' }, words: { type: 'string' } }, required: ['echo', 'words'], additionalProperties: false }
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII='

const called = (answer, names) => {
  assert.deepEqual(answer.calls.map((c) => c.name), names)
  assert.equal(new Set(answer.calls.map((c) => c.id)).size, names.length)
  assert(answer.calls.every((c) => c.id))
  assert.equal(answer.why, 'calls')
}

// name: {ask(question), check(answer, context), words: the conversation's answer is known word by word}
export const FEATURES = {
  'text': { ask: (q) => ({ turns: [{ user: q }] }), check: (a) => assert.equal(a.why, 'end'), words: true },
  'characters beyond ASCII': { ask: (q) => ({ turns: [{ user: `${q} 你好，世界 👩‍🚀 żółć` }] }), check: (a) => assert.equal(a.why, 'end'), words: true },
  'system prompt': { key: 'system', ask: (q) => ({ system: SYSTEM, turns: [{ user: q }] }), check: (a) => assert.equal(a.why, 'end'), words: true },
  'several turns': { key: 'turns', ask: (q) => ({ turns: [{ user: `${q} one` }, { assistant: 'I hear.' }, { user: `${q} two` }] }), check: (a) => assert.equal(a.why, 'end'), words: true },
  'tool call': {
    key: 'tool', ask: (q) => ({ tools: [WEATHER, TIME], turns: [{ user: `${q} use the tool for Lisbon` }] }),
    check(a) { called(a, ['get_weather']), assert.deepEqual(a.calls[0].input, { city: 'Lisbon' }) },
  },
  'named tool': {
    key: 'named tool', ask: (q) => ({ tools: [WEATHER], choice: 'get_weather', turns: [{ user: `${q} use the tool for Lisbon` }] }),
    check(a, { body }) { called(a, ['get_weather']), assert(JSON.stringify(body).split('get_weather').length > 2, 'the choice did not reach the provider') },
  },
  'parallel tool calls': {
    key: 'parallel tools', ask: (q) => ({ tools: [WEATHER, TIME], turns: [{ user: `${q} use all tools for Lisbon` }] }),
    check(a) { called(a, ['get_weather', 'get_time']), assert.deepEqual(a.calls.map((c) => Object.values(c.input)[0]), ['Lisbon', 'Lisbon']) },
  },
  'tool results': {
    key: 'tool result',
    ask: (q) => ({
      tools: [WEATHER, TIME],
      turns: [{ user: `${q} asks` }, { calls: [{ id: 'call_1', name: 'get_weather', input: { city: 'Lisbon' } }, { id: 'call_2', name: 'get_time', input: { place: 'Lisbon' } }] },
        { results: [{ id: 'call_1', text: 'ResultOfTheFirst' }, { id: 'call_2', text: 'ResultOfTheSecond' }] }, { user: `${q} goes on` }],
    }),
    check(a, { body }) {
      assert(a.text.startsWith('echo:'))
      for (const word of ['ResultOfTheFirst', 'ResultOfTheSecond', 'get_time']) assert(JSON.stringify(body).includes(word), `${word} did not reach the provider`)
    },
  },
  'picture': {
    key: 'image', ask: (q) => ({ turns: [{ user: q, image: PIXEL }] }),
    check(a, { body }) { assert(a.text.startsWith('echo:')), assert(JSON.stringify(body).includes(PIXEL), 'the picture did not reach the provider') },
  },
  'JSON schema': {
    key: 'schema', ask: (q) => ({ schema: SCHEMA, turns: [{ user: q }] }),
    check(a) { assert.deepEqual(Object.keys(JSON.parse(a.text)), ['echo', 'words']) },
  },
  'stop sequence': {
    key: 'stop', ask: (q) => ({ stop: ['HALT'], turns: [{ user: `${q} first HALT second` }] }),
    check(a) { assert(a.text.includes('first')), assert(!a.text.includes('HALT')), assert.equal(a.why, 'end') },
  },
  'cap': {
    ask: (q) => ({ cap: 20, turns: [{ user: q }] }),
    check(a) { assert.equal(a.why, 'cap'), assert.equal(a.text.trim().split(' ').length, 20) },
  },
  'thoughts': {
    key: 'thoughts', ask: (q) => ({ think: true, cap: 8000, turns: [{ user: q }] }),
    check(a) { assert(a.thoughts.startsWith('thinking:'), `thoughts: ${a.thoughts}`), assert(a.text.startsWith('echo:')) },
  },
  'usage': {
    ask: (q) => ({ turns: [{ user: q }] }),
    check(a) { assert(a.usage.input > 0 && a.usage.output >= 50, JSON.stringify(a.usage)) },
  },
  'who asks (user)': { ask: (q) => ({ user: 'someone-7', turns: [{ user: q }] }), check: (a) => assert.equal(a.why, 'end'), words: true },
}

// What a provider's trouble is told as: the model, and the error class of every SDK.
export const FAULTS = {
  'refused (400)': { model: 'refuses', kind: 'BadRequestError' },
  'limited (429)': { model: 'limits', kind: 'RateLimitError' },
  'broken (502)': { model: 'breaks', kind: 'InternalServerError' },
}
