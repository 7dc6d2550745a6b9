import { expect, test } from 'vitest'
import { checkpoint, message } from '~/test/samples'
import { type Line, linesOf, took } from './lines'

/** A line in a word, to compare. */
function word(line: Line): string {
  switch (line.kind) {
    case 'turn':
      return `turn ${line.turn}${line.run ? ` run ${line.run}` : ''}: ${line.calls} calls, ${line.tokens} tokens`
    case 'said':
      return `${line.message.role}: ${line.message.content}`
    case 'thought':
      return `thought: ${line.text}`
    case 'call':
      return `${line.first ? '┌' : '│'}${line.last ? '┘' : '│'} ${line.call.name}${line.call.result ? ` = ${line.call.result.toolResult}` : ''}`
    case 'checkpoint':
      return `checkpoint ${line.checkpoint.checkpointNumber}`
  }
}

const call = (id: string, name = 'Bash') => ({ id, name, input: { command: id } })
const result = (index: number, id: string, toolResult = 'done') =>
  message(index, { role: 'tool', content: '', toolCallId: id, toolName: 'Bash', toolResult })

test('a call stands with its result, and calls that follow each other in one block', () => {
  const messages = [
    message(0, { role: 'user', content: 'Go' }),
    message(1, { content: 'I look', thinking: 'Hm', toolCalls: [call('a'), call('b')], tokenCount: 40 }),
    result(2, 'a'),
    result(3, 'b'),
    message(4, { content: '', toolCalls: [call('c')], tokenCount: 2 }),
    result(5, 'c'),
    message(6, { content: 'There' }),
  ]
  expect(linesOf(messages, []).map(word)).toEqual([
    'turn 1 run 1: 3 calls, 42 tokens',
    'user: Go',
    'thought: Hm',
    'assistant: I look',
    '┌│ Bash = done',
    '││ Bash = done',
    '│┘ Bash = done',
    'assistant: There',
  ])
})

test('each message of a person begins a turn, and a run is told where it begins', () => {
  const messages = [
    message(0, { role: 'user', content: 'One' }),
    message(1),
    message(2, { role: 'user', content: 'Two' }),
    message(3, { role: 'user', content: 'Three', runNumber: 2 }),
  ]
  expect(linesOf(messages, []).map(word)).toEqual([
    'turn 1 run 1: 0 calls, 0 tokens',
    'user: One',
    'assistant: Message 1',
    'turn 2: 0 calls, 0 tokens',
    'user: Two',
    'turn 3 run 2: 0 calls, 0 tokens',
    'user: Three',
  ])
})

test('checkpoints stand where they were made, whatever their order', () => {
  const messages = [message(0, { role: 'user', content: 'Go' }), message(1), message(2)]
  const made = [
    checkpoint(3, { messageCount: 3 }),
    checkpoint(2, { messageCount: 2 }),
    checkpoint(1, { messageCount: 2 }),
  ]
  expect(linesOf(messages, made).map(word)).toEqual([
    'turn 1 run 1: 0 calls, 0 tokens',
    'user: Go',
    'assistant: Message 1',
    'checkpoint 1',
    'checkpoint 2',
    'assistant: Message 2',
    'checkpoint 3',
  ])
})

test('a result without its call, and a call without its result, are shown', () => {
  const messages = [
    result(0, 'lost', 'of a call that was never told'),
    message(1, { content: '', toolCalls: [call('open')] }),
  ]
  expect(linesOf(messages, []).map(word)).toEqual([
    'turn 1 run 1: 2 calls, 0 tokens',
    '┌│ Bash = of a call that was never told',
    '│┘ Bash',
  ])
})

test('a message that was cut off before its first word is not lost', () => {
  const lines = linesOf([message(0, { content: '', incomplete: true })], [])
  expect(lines.map(({ kind }) => kind)).toEqual(['turn', 'said'])
})

test('what took how long is counted from the call before', () => {
  const messages = [
    message(0, { content: '', toolCalls: [call('a'), call('b')] }),
    message(1, { role: 'tool', toolCallId: 'a', timestamp: message(4).timestamp }),
    message(2, { role: 'tool', toolCallId: 'b', timestamp: message(5).timestamp }),
  ]
  const times = linesOf(messages, []).map(line => (line.kind === 'call' ? took(line.call) : undefined))
  expect(times.filter(ms => ms !== undefined)).toEqual([4000, 1000])
})

test('every line has a name of its own that stays while the conversation grows', () => {
  const messages = [
    message(0, { role: 'user' }),
    message(1, { thinking: 'Hm', toolCalls: [call('a'), call('b')] }),
    result(2, 'a'),
    result(3, 'b'),
    message(4),
  ]
  const keys = linesOf(messages, [checkpoint(1, { messageCount: 5 })]).map(({ key }) => key)
  expect(new Set(keys).size).toBe(keys.length)
  expect(keys.slice(0, 5)).toEqual(
    linesOf(messages.slice(0, 3), [])
      .map(({ key }) => key)
      .slice(0, 5),
  )
})

test('ten thousand messages are read at a glance', () => {
  const messages = Array.from({ length: 10_000 }, (_, n) =>
    n % 4 === 0
      ? message(n, { role: 'user' })
      : n % 4 === 1
        ? message(n, { toolCalls: [call(`call ${n}`)] })
        : n % 4 === 2
          ? result(n, `call ${n - 1}`)
          : message(n),
  )
  const began = performance.now()
  const lines = linesOf(messages, [])
  expect(lines.length).toBe(12_500)
  // Four times a second it may take no more than a few frames, also on a machine that is busy with other tests.
  expect(performance.now() - began).toBeLessThan(200)
})
