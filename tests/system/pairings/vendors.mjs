// node vendors.mjs WORLD.json: each vendor's SDK straight at the fake provider of its dialect.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { GoogleGenAI } from '@google/genai'
import callersOf from './callers.mjs'
import { FEATURES } from './features.mjs'

const world = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const context = (provider) => ({ body: null, provider })

async function straight(caller, provider) {
  for (const name of ['text', 'system prompt', 'several turns', 'tool call', 'parallel tool calls', 'stop sequence', 'cap', 'usage'])
    for (const how of ['plain', 'stream']) {
      const feature = FEATURES[name]
      feature.check(await caller[how]({ model: 'm', ...feature.ask(`straight ${name}`) }), context(provider))
    }
  console.log(`${caller.name}: as ${provider}`)
}

const [chat] = callersOf({ ...world, openai: `${world.mocks.openai}/v1` })
await straight(chat, 'openai')
const messages = callersOf({ ...world, anthropic: world.mocks.anthropic }).find((c) => c.name === 'messages')
await straight(messages, 'anthropic')

const google = new GoogleGenAI({ apiKey: world.key, httpOptions: { baseUrl: world.mocks.gemini, apiVersion: 'v1beta' } })
const ask = { model: 'gemini-model', contents: 'straight to it', config: { systemInstruction: 'Be brief.', temperature: 0.5, maxOutputTokens: 50 } }
const whole = await google.models.generateContent(ask)
assert(whole.text.startsWith('echo: straight to it |'), whole.text)
assert.equal(whole.candidates[0].finishReason, 'MAX_TOKENS')
assert(whole.usageMetadata.promptTokenCount > 0 && whole.usageMetadata.candidatesTokenCount === 50)
let text = '', pieces = 0
for await (const chunk of await google.models.generateContentStream(ask)) (text += chunk.text ?? ''), pieces++
assert.equal(text, whole.text)
assert(pieces > 10)
const declaration = { name: 'get_weather', description: 'The weather', parametersJsonSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } }
const called = await google.models.generateContent({ ...ask, contents: 'Please use the tool for Lisbon', config: { tools: [{ functionDeclarations: [declaration] }] } })
assert.deepEqual(called.functionCalls.map((c) => [c.name, c.args]), [['get_weather', { city: 'Lisbon' }]])
const vectors = await google.models.embedContent({ model: 'embedder', contents: ['one', 'two'] })
assert.equal(vectors.embeddings.length, 2)
await assert.rejects(google.models.generateContent({ ...ask, model: 'gemini-refuses' }), (e) => e.status === 400)
console.log('genai: as gemini')
console.log('all as the real ones')
