import type { Checkpoint, Message } from '~/api/client'

// A conversation as the lines of its page: turns, what was said and thought, calls with what came of them, checkpoints. From
// values to values, without a DOM.

/** One line of the page. `key` stays the same while the conversation grows. */
export type Line =
  | {
      kind: 'turn'
      key: string
      turn: number
      run?: number
      from: string
      to: string
      calls: number
      tokens: number
      cost: number
    }
  | { kind: 'said'; key: string; message: Message }
  | { kind: 'thought'; key: string; text: string }
  | { kind: 'call'; key: string; call: Call; first: boolean; last: boolean }
  | { kind: 'checkpoint'; key: string; checkpoint: Checkpoint }

/** A call, with its result where that is there. */
export interface Call {
  name: string
  input: unknown
  /** The message that told the result. */
  result?: Message
  /** Whether the message that holds the call was cut off. */
  incomplete: boolean
  /** When it was begun, as far as is known: when the message was complete, or the call before it. */
  begun: string
}

type TurnLine = Extract<Line, { kind: 'turn' }>

/** The lines of a conversation, oldest first, with the checkpoints where they were made. */
export function linesOf(messages: readonly Message[], checkpoints: readonly Checkpoint[]): Line[] {
  const lines: Line[] = []
  const results = resultsOf(messages)
  const called = new Set<string>()
  const made = [...checkpoints].sort(
    (a, b) => a.messageCount - b.messageCount || a.checkpointNumber - b.checkpointNumber,
  )
  let next = 0
  let turn: TurnLine | undefined
  let turns = 0
  let run = 0

  const checkpointsUpTo = (index: number) => {
    for (let due = made[next]; due && due.messageCount <= index; due = made[next]) {
      lines.push({ kind: 'checkpoint', key: `checkpoint ${due.id}`, checkpoint: due })
      next += 1
    }
  }

  for (const message of messages) {
    checkpointsUpTo(message.index)
    if (message.role === 'user' || !turn || message.runNumber !== run) {
      turns += message.role === 'user' || !turn ? 1 : 0
      const began = message.runNumber !== run
      run = message.runNumber
      turn = {
        kind: 'turn',
        key: `turn ${message.id}`,
        turn: turns,
        run: began ? run : undefined,
        from: message.timestamp,
        to: message.timestamp,
        calls: 0,
        tokens: 0,
        cost: 0,
      }
      lines.push(turn)
    }
    turn.to = message.timestamp
    turn.tokens += message.tokenCount ?? 0
    turn.cost += message.costUsd ?? 0

    if (message.role === 'tool') {
      // A result whose call isn't in the conversation stands for it.
      if (message.toolCallId && called.has(message.toolCallId)) continue
      turn.calls += 1
      const call = { name: message.toolName ?? 'tool', input: message.toolInput, result: message, incomplete: false }
      lines.push({
        kind: 'call',
        key: message.id,
        call: { ...call, begun: message.timestamp },
        first: true,
        last: true,
      })
      continue
    }
    if (message.thinking) lines.push({ kind: 'thought', key: `thought ${message.id}`, text: message.thinking })
    if (message.content || (message.incomplete && !message.toolCalls?.length)) {
      lines.push({ kind: 'said', key: message.id, message })
    }
    let begun = message.timestamp
    for (const { id, name, input } of message.toolCalls ?? []) {
      called.add(id)
      turn.calls += 1
      const result = results.get(id)
      const call = { name, input, result, incomplete: message.incomplete ?? false, begun }
      lines.push({ kind: 'call', key: `${message.id} ${id}`, call, first: true, last: true })
      if (result) begun = result.timestamp
    }
  }
  checkpointsUpTo(Number.POSITIVE_INFINITY)
  joinCalls(lines)
  return lines
}

function resultsOf(messages: readonly Message[]): Map<string, Message> {
  const results = new Map<string, Message>()
  for (const message of messages) {
    if (message.role === 'tool' && message.toolCallId) results.set(message.toolCallId, message)
  }
  return results
}

/** Calls, and thoughts between them, that follow each other stand in one block. */
function joinCalls(lines: Line[]): void {
  lines.forEach((line, n) => {
    if (line.kind !== 'call') return
    line.first = lines[n - 1]?.kind !== 'call'
    line.last = lines[n + 1]?.kind !== 'call'
  })
}

/** How long a call took; undefined where it has no result. */
export function took(call: Call): number | undefined {
  if (!call.result) return undefined
  return Math.max(0, Date.parse(call.result.timestamp) - Date.parse(call.begun))
}
