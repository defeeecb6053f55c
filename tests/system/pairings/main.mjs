// node main.mjs WORLD.json: every feature through every caller to every provider's dialect. Prints progress to stderr, and one JSON object:
// {results: [{feature, caller, provider, how, state: ok | none | FAIL, reason}], texts: [{conversation, text}]}: what of it is right word by
// word is for whoever started this to say.
import { readFileSync } from 'node:fs'
import callersOf from './callers.mjs'
import { FAULTS, FEATURES, SYSTEM } from './features.mjs'

const world = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const results = [], texts = []

/** What that provider was sent last. */
async function lastBody(provider) {
  const got = await (await fetch(`${world.mocks[provider]}/mock/bodies?n=1`)).json()
  const { body } = (got.bodies ?? got).at(-1)
  return typeof body === 'string' ? JSON.parse(body) : body
}

function conversation(ask) {
  const said = ask.system ? [['system', SYSTEM]] : []
  for (const turn of ask.turns) said.push(turn.assistant ? ['assistant', turn.assistant] : ['user', turn.user])
  return said
}

async function one(caller, provider, name, feature, how) {
  const row = { feature: name, caller: caller.name, provider, how, state: 'ok' }
  if (caller.cannot.includes(feature.key ?? name)) return { ...row, state: 'none' }
  const ask = { model: provider, ...feature.ask(`${caller.name} ${provider} ${how} ${name}`) }
  try {
    const answer = await caller[how](ask)
    feature.check(answer, { body: await lastBody(provider) })
    if (how === 'stream' && answer.text && answer.pieces < 2) throw new Error(`a stream of ${answer.pieces} pieces`)
    if (how === 'stream' && answer.calls.some((c) => !c.pieces)) throw new Error('arguments came in no piece')
    if (feature.words) texts.push({ where: `${name}: ${caller.name} to ${provider}, ${how}`, conversation: conversation(ask), text: answer.text })
    return row
  } catch (e) {
    return { ...row, state: 'FAIL', reason: `${e.stack ?? e}`.slice(0, 1500) }
  }
}

async function trouble(caller, provider, name, fault, how) {
  const row = { feature: name, caller: caller.name, provider, how, state: 'ok' }
  try {
    await caller[how]({ model: `${provider}-${fault.model}`, turns: [{ user: 'trouble' }] })
    return { ...row, state: 'FAIL', reason: 'no error' }
  } catch (e) {
    const told = caller.fault(e)
    return told.kind === fault.kind ? row : { ...row, state: 'FAIL', reason: JSON.stringify(told) + e.stack }
  }
}

for (const caller of callersOf(world))
  for (const provider of Object.keys(world.mocks)) {
    for (const how of ['plain', 'stream']) {
      for (const [name, feature] of Object.entries(FEATURES)) results.push(await one(caller, provider, name, feature, how))
      for (const [name, fault] of Object.entries(FAULTS)) results.push(await trouble(caller, provider, name, fault, how))
    }
    console.error(`${caller.name} to ${provider}: ${results.filter((r) => r.caller === caller.name && r.provider === provider && r.state === 'FAIL').length} failed`)
  }
console.log(JSON.stringify({ results, texts }))
