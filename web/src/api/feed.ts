import type { Message, Schemas } from './client'

// What the events of the live feed mean for what is known here: from values to values.

/** One event of the feed. */
export type FeedEvent =
  | { type: 'history'; data: Schemas['HistoryEntry'] }
  | { type: 'task'; data: Schemas['TaskEvent'] }
  | { type: 'message'; data: { taskId: string; message: Message } }
  | { type: 'delta'; data: Schemas['Delta'] }

export const FEED_EVENTS = ['history', 'task', 'message', 'delta'] as const

/** What is out of date, gathered until the next beat. */
export interface Changes {
  /** Tasks to read anew. */
  tasks: Set<string>
  /** Contracts to read anew. */
  contracts: Set<string>
  /** Tasks whose checkpoints are to be read anew. */
  checkpoints: Set<string>
  /** Tasks whose agent stopped speaking: what was half said is whole now, or never will be. */
  silent: Set<string>
  /** Tasks of which a turn has ended: only now it is known what its messages cost. */
  turned: Set<string>
  /** Tasks whose conversation goes on from elsewhere. */
  moved: Set<string>
  /** Whether many tasks came or went at once. */
  lists: boolean
  /** Messages that were told, by task. */
  messages: Map<string, Message[]>
}

export function noChanges(): Changes {
  return {
    tasks: new Set(),
    contracts: new Set(),
    checkpoints: new Set(),
    silent: new Set(),
    turned: new Set(),
    moved: new Set(),
    lists: false,
    messages: new Map(),
  }
}

/** Adds what an event changes. Deltas change nothing that is kept. */
export function gather(changes: Changes, event: FeedEvent): void {
  switch (event.type) {
    case 'message': {
      const told = changes.messages.get(event.data.taskId)
      if (told) told.push(event.data.message)
      else changes.messages.set(event.data.taskId, [event.data.message])
      return
    }
    case 'task':
      changes.tasks.add(event.data.taskId)
      if (event.data.eventType === 'checkpoint') changes.checkpoints.add(event.data.taskId)
      if (event.data.eventType === 'turn') changes.turned.add(event.data.taskId)
      if (event.data.eventType === 'turn' || event.data.newStatus) changes.silent.add(event.data.taskId)
      return
    case 'history':
      if (event.data.taskId) changes.tasks.add(event.data.taskId)
      if (event.data.contractId) changes.contracts.add(event.data.contractId)
      whatChanged(changes, event.data)
      return
    case 'delta':
  }
}

/** What a change of history changes beyond the task or contract that it names. */
function whatChanged(changes: Changes, { eventType, taskId, eventData }: Schemas['HistoryEntry']): void {
  const named = (eventData ?? {}) as { taskId?: string; contractId?: string }
  switch (eventType) {
    case 'conversation_moved':
      if (taskId) changes.moved.add(taskId)
      return
    case 'checkpoint_undone':
    case 'checkpoint_restored':
      if (taskId) changes.checkpoints.add(taskId)
      return
    case 'task_purged':
      if (named.taskId) changes.tasks.add(named.taskId)
      return
    case 'contract_purged':
      if (named.contractId) changes.contracts.add(named.contractId)
      changes.lists = true
      return
    case 'contract_deleted':
    case 'contract_restored':
      changes.lists = true
  }
}

/** A message that is being written. */
export interface Draft {
  messageId: string
  thinking: string
  text: string
}

/** The draft with one more piece. Another message's piece begins anew: the one before came to nothing. */
export function withPiece(draft: Draft | undefined, piece: Schemas['Delta']): Draft {
  const now = draft?.messageId === piece.messageId ? draft : { messageId: piece.messageId, thinking: '', text: '' }
  return piece.kind === 'thinking'
    ? { ...now, thinking: now.thinking + piece.text }
    : { ...now, text: now.text + piece.text }
}
