import { expect, test } from 'vitest'
import { message } from '~/test/samples'
import { type FeedEvent, gather, noChanges, withPiece } from './feed'

const AT = '2026-11-20T14:00:00.000000Z'

const happened = (eventType: 'turn' | 'checkpoint' | 'status_change', newStatus?: 'completed'): FeedEvent => ({
  type: 'task',
  data: { id: 'e', taskId: 't', seq: 1, runNumber: 1, eventType, newStatus, eventData: {}, createdAt: AT },
})

function changes(...events: FeedEvent[]) {
  const all = noChanges()
  for (const event of events) gather(all, event)
  return {
    tasks: [...all.tasks],
    contracts: [...all.contracts],
    checkpoints: [...all.checkpoints],
    silent: [...all.silent],
    turned: [...all.turned],
    moved: [...all.moved],
    lists: all.lists,
    messages: [...all.messages].map(([task, told]) => [task, told.map(({ index }) => index)]),
  }
}

const NONE = {
  tasks: [],
  contracts: [],
  checkpoints: [],
  silent: [],
  turned: [],
  moved: [],
  lists: false,
  messages: [],
}

test('what happens in a task is read anew', () => {
  expect(changes(happened('status_change', 'completed'))).toEqual({ ...NONE, tasks: ['t'], silent: ['t'] })
  expect(changes(happened('checkpoint'))).toEqual({ ...NONE, tasks: ['t'], checkpoints: ['t'] })
  expect(changes(happened('turn'), happened('turn'))).toEqual({ ...NONE, tasks: ['t'], silent: ['t'], turned: ['t'] })
})

test('the history names the task and the contract that changed', () => {
  const data = { id: 'e', timestamp: AT, entryType: 'task_event' as const, eventType: 'task_created' }
  expect(changes({ type: 'history', data: { ...data, taskId: 't', contractId: 'c' } })).toEqual({
    ...NONE,
    tasks: ['t'],
    contracts: ['c'],
  })
})

test('messages are kept in their order, by task, and have nothing read anew', () => {
  const say = (taskId: string, index: number): FeedEvent => ({
    type: 'message',
    data: { taskId, message: message(index) },
  })
  expect(changes(say('t', 1), say('u', 7), say('t', 2))).toEqual({
    ...NONE,
    messages: [
      ['t', [1, 2]],
      ['u', [7]],
    ],
  })
})

test('pieces grow into a draft, and another message begins anew', () => {
  const piece = (messageId: string, kind: 'text' | 'thinking', text: string) => ({ taskId: 't', messageId, kind, text })
  const first = [piece('m', 'thinking', 'Hm'), piece('m', 'text', 'One '), piece('m', 'text', 'two')]
  const draft = first.reduce<ReturnType<typeof withPiece> | undefined>(withPiece, undefined)
  expect(draft).toEqual({ messageId: 'm', thinking: 'Hm', text: 'One two' })
  expect(withPiece(draft, piece('n', 'text', 'Again'))).toEqual({ messageId: 'n', thinking: '', text: 'Again' })
})

test('a change of history tells what else is to be read anew', () => {
  const told = (eventType: string, more: object): FeedEvent => ({
    type: 'history',
    data: { id: 'e', timestamp: AT, entryType: 'task_event', eventType, eventData: {}, ...more },
  })
  expect(changes(told('task_deleted', { taskId: 't' }))).toEqual({ ...NONE, tasks: ['t'] })
  expect(changes(told('task_purged', { eventData: { taskId: 't' } }))).toEqual({ ...NONE, tasks: ['t'] })
  expect(changes(told('contract_deleted', { contractId: 'c' }))).toEqual({ ...NONE, contracts: ['c'], lists: true })
  expect(changes(told('contract_purged', { eventData: { contractId: 'c' } }))).toEqual({
    ...NONE,
    contracts: ['c'],
    lists: true,
  })
  expect(changes(told('conversation_moved', { taskId: 't' }))).toEqual({ ...NONE, tasks: ['t'], moved: ['t'] })
  expect(changes(told('checkpoint_undone', { taskId: 't' }))).toEqual({ ...NONE, tasks: ['t'], checkpoints: ['t'] })
})
