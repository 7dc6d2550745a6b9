// @vitest-environment jsdom
import { screen } from '@testing-library/react'
import { expect, test } from 'vitest'
import { contract, daemon, task } from '~/test/samples'
import { visit, withServer } from '~/test/world'

withServer()

const asking = task({
  status: 'waiting',
  pendingQuestion: {
    id: 'q',
    kind: 'permission',
    text: 'Bash?',
    toolName: 'Bash',
    toolInput: { command: 'rm -r build' },
  },
})

test('a permission is denied with a word why', async () => {
  const { world, user } = visit(`/tasks/${asking.id}`, { tasks: [asking] })
  await user.type(await screen.findByRole('textbox', { name: /Why it is denied/ }), 'Keep it{Enter}')
  expect(world.asked).toEqual([
    { path: `/api/v1/mesh/tasks/${asking.id}/answer`, body: { questionId: 'q', answer: 'deny', message: 'Keep it' } },
  ])
})

test('a key allows, but not while one writes', async () => {
  const { world, user } = visit(`/tasks/${asking.id}`, { tasks: [asking] })
  await user.type(await screen.findByRole('textbox', { name: 'Message to the agent' }), 'a day')
  expect(world.asked).toEqual([])
  ;(document.activeElement as HTMLElement).blur()
  await user.keyboard('a')
  expect(world.asked.map(({ body }) => body)).toEqual([{ questionId: 'q', answer: 'allow' }])
})

test('a question is answered by one of its choices, or by words', async () => {
  const question = { id: 'q', kind: 'question' as const, text: 'Move both?', choices: ['Move both', 'Leave one'] }
  const { world, user } = visit(`/tasks/${asking.id}`, { tasks: [{ ...asking, pendingQuestion: question }] })
  await user.click(await screen.findByRole('button', { name: 'Leave one' }))
  await user.type(screen.getByRole('textbox', { name: 'Answer in your own words' }), 'Neither{Enter}')
  expect(world.asked.map(({ body }) => (body as { answer: string }).answer)).toEqual(['Leave one', 'Neither'])
})

test('a message is sent, and shown as not said yet', async () => {
  const { world, user } = visit(`/tasks/${asking.id}`, { tasks: [task()] })
  const box = await screen.findByRole('textbox', { name: 'Message to the agent' })
  await user.type(box, 'Now the README')
  await user.keyboard('{Control>}{Enter}{/Control}')
  expect(world.asked).toEqual([
    { path: `/api/v1/mesh/tasks/${task().id}/messages`, body: { content: 'Now the README' } },
  ])
  expect((box as HTMLTextAreaElement).value).toBe('')
})

test('a running task can be stopped; one that ended can’t', async () => {
  const { world, user } = visit(`/tasks/${asking.id}`, { tasks: [task({ status: 'running' })] })
  const stop = await screen.findByRole('button', { name: 'Stop' })
  world.tasks = [task({ status: 'interrupted' })]
  await user.click(stop)
  expect(await screen.findByText('interrupted')).toBeTruthy()
  expect(screen.queryByRole('button', { name: 'Stop' })).toBeNull()
})

test('a task that isn’t there is said', async () => {
  visit('/tasks/nothing')
  expect(await screen.findByRole('heading', { name: 'There is no such task' })).toBeTruthy()
})

test('a contract’s phase is changed by hand', async () => {
  const { world, user } = visit(`/contracts/${contract().id}`, { contracts: [contract()], daemons: [daemon()] })
  await user.click(await screen.findByRole('button', { name: 'review' }))
  expect(await screen.findByRole('button', { name: 'review', pressed: true })).toBeTruthy()
  expect(world.asked).toEqual([{ path: `/api/v1/contracts/${contract().id}/phase`, body: { phase: 'review' } }])
})

test('an address that is none is said', async () => {
  visit('/nowhere')
  expect(await screen.findByRole('heading', { name: 'There is no such page' })).toBeTruthy()
})
