import { expect, test } from 'vitest'
import { contract, message, task } from '~/test/samples'
import type { Task } from './client'
import { contractBelongs, taskBelongs, withMessages, withRow } from './rows'

const at = (n: number) => `2026-11-20T14:00:0${n}.000000Z`
const row = (n: number, change: Partial<Task> = {}) => task({ id: `task-${n}`, createdAt: at(n), ...change })
const list = (pages: Task[][], cursor?: string) => ({
  pages: pages.map((tasks, n) => ({
    tasks,
    totalCount: pages.flat().length,
    cursor: n < pages.length - 1 ? 'next' : cursor,
  })),
  pageParams: pages.map(() => undefined),
})
const told = (pages: { tasks: Task[]; totalCount: number }[]) =>
  pages.map(page => `${page.tasks.map(({ id, status }) => `${id} ${status}`).join(', ')} of ${page.totalCount}`)

test('a row changes where it stands', () => {
  const { pages } = withRow(list([[row(4), row(3)], [row(2)]]), 'tasks', row(2, { status: 'failed' }), true)
  expect(told(pages)).toEqual(['task-4 running, task-3 running of 3', 'task-2 failed of 3'])
})

test('a row that doesn’t belong any more is gone, and counted no more on any page', () => {
  const { pages } = withRow(list([[row(4), row(3)], [row(2)]]), 'tasks', row(3, { status: 'completed' }), false)
  expect(told(pages)).toEqual(['task-4 running of 2', 'task-2 running of 2'])
})

test('a new row stands by its age', () => {
  expect(told(withRow(list([[row(4), row(2)], [row(1)]]), 'tasks', row(3), true).pages)).toEqual([
    'task-4 running, task-3 running, task-2 running of 4',
    'task-1 running of 4',
  ])
  expect(told(withRow(list([[]]), 'tasks', row(3), true).pages)).toEqual(['task-3 running of 1'])
  expect(told(withRow(list([[row(4)]]), 'tasks', row(3), true).pages)).toEqual(['task-4 running, task-3 running of 2'])
})

test('a row that is older than all that was loaded waits for its page', () => {
  const before = list([[row(4)]], 'more')
  expect(withRow(before, 'tasks', row(3), true)).toBe(before)
})

test('what belongs elsewhere changes nothing', () => {
  const before = list([[row(4)]])
  expect(withRow(before, 'tasks', row(9), false)).toBe(before)
})

test('a list says whether a row belongs, unless only the server knows', () => {
  const loose = task({ contractId: undefined, status: 'waiting' })
  const bound = task({ contractId: 'c' })
  expect([
    taskBelongs({}, loose),
    taskBelongs({ loose: true }, bound),
    taskBelongs({ loose: true }, loose),
    taskBelongs({ contractId: 'c' }, bound),
    taskBelongs({ contractId: 'd' }, bound),
    taskBelongs({ status: ['waiting'] }, bound),
    taskBelongs({ status: ['waiting'], q: 'x' }, loose),
    contractBelongs({ status: 'active' }, contract()),
    contractBelongs({ status: 'archived', q: 'x' }, contract()),
    contractBelongs({ q: 'x' }, contract()),
  ]).toEqual([true, false, true, true, false, false, undefined, true, false, undefined])
})

const conversation = (n: number) => ({
  taskId: 't',
  taskName: 'T',
  status: 'running' as const,
  totalTokens: 0,
  totalCost: 0,
  messages: Array.from({ length: n }, (_, index) => message(index)),
})

test('messages that are told come to the end, and one that is told again stands for itself', () => {
  const after = withMessages(conversation(2), [message(1, { content: 'Told again' }), message(2)])
  expect(after.whole).toBe(true)
  expect(after.conversation.messages.map(({ content }) => content)).toEqual(['Message 0', 'Told again', 'Message 2'])
})

test('a hole, or another message in a place, has the conversation read anew', () => {
  expect(withMessages(conversation(2), [message(3)]).whole).toBe(false)
  expect(withMessages(conversation(2), [message(1, { id: 'of another branch' })]).whole).toBe(false)
})

test('what was known before stays as it was', () => {
  const before = conversation(1)
  withMessages(before, [message(1)])
  expect(before.messages.length).toBe(1)
})
