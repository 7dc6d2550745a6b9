// @vitest-environment jsdom
import { screen, waitFor, within } from '@testing-library/react'
import { HttpResponse, http } from 'msw'
import { expect, test } from 'vitest'
import { contract, daemon, task } from '~/test/samples'
import { feed, tell, visit, withServer } from '~/test/world'

withServer()

const asking = task({
  id: 'asking',
  name: 'Clear away',
  status: 'waiting',
  pendingQuestion: {
    id: 'q',
    kind: 'permission',
    text: 'Bash?',
    toolName: 'Bash',
    toolInput: { command: 'rm -r build' },
  },
})

test('what waits is answered in place', async () => {
  const { world, user } = visit('/', { tasks: [asking] })
  const waits = await screen.findByRole('region', { name: 'Waits for you' })
  expect(within(waits).getByText('rm -r build')).toBeTruthy()
  world.tasks = [{ ...asking, status: 'running', pendingQuestion: undefined }]
  await user.click(within(waits).getByRole('button', { name: 'Allow once' }))
  await waitFor(() => expect(screen.queryByRole('region', { name: 'Waits for you' })).toBeNull())
  expect(world.asked).toEqual([
    { path: '/api/v1/mesh/tasks/asking/answer', body: { questionId: 'q', answer: 'allow' } },
  ])
})

test('an answer that is refused says why, where it was given', async () => {
  const { server, user } = visit('/', { tasks: [asking] })
  server.use(
    http.post('*/answer', () =>
      HttpResponse.json({ code: 'CONFLICT', message: 'somebody else has answered', requestId: 'r-7' }, { status: 409 }),
    ),
  )
  await user.click(await screen.findByRole('button', { name: 'Deny' }))
  const alert = await screen.findByRole('alert')
  expect(alert.textContent).toContain('somebody else has answered')
  expect(alert.textContent).toContain('r-7')
})

test('contracts, loose tasks and daemons each have their place', async () => {
  visit('/', {
    contracts: [contract()],
    tasks: [
      task({ id: 'loose', name: 'Bump pgx' }),
      task({ id: 'bound', name: 'Of a contract', contractId: contract().id }),
    ],
    daemons: [daemon()],
  })
  const loose = await screen.findByRole('table', { name: 'Loose tasks' })
  expect(within(loose).getByRole('link', { name: 'Bump pgx' })).toBeTruthy()
  expect(within(loose).queryByText('Of a contract')).toBeNull()
  expect(within(screen.getByRole('table', { name: 'Contracts' })).getByText('tern/gateway')).toBeTruthy()
  expect(screen.getByText('3 / 4')).toBeTruthy()
})

test('where nothing is it says what will be', async () => {
  visit('/')
  expect(await screen.findByText('No contracts yet')).toBeTruthy()
  expect(screen.getByText('No loose tasks')).toBeTruthy()
})

test('a task that is made elsewhere appears, and its status follows', async () => {
  const { world } = visit('/')
  await screen.findByText('No loose tasks')
  world.tasks = [task({ id: 'new', name: 'Made elsewhere', status: 'pending' })]
  const event = {
    id: 'e',
    timestamp: '',
    entryType: 'task_event' as const,
    eventType: 'task_created',
    taskId: 'new',
    eventData: {},
  }
  tell({ type: 'history', data: event })
  expect(await screen.findByRole('link', { name: 'Made elsewhere' })).toBeTruthy()
  world.tasks = [task({ id: 'new', name: 'Made elsewhere', status: 'failed' })]
  tell({ type: 'history', data: { ...event, eventType: 'task_status' } })
  expect(await screen.findByText('failed')).toBeTruthy()
})

test('what changed while the feed was lost is read anew', async () => {
  const { world } = visit('/', { tasks: [task({ name: 'Before' })] })
  await screen.findByRole('link', { name: 'Before' })
  feed.breaks()
  expect(await screen.findByText('Reconnecting')).toBeTruthy()
  world.tasks = [task({ name: 'After' })]
  feed.returns()
  expect(await screen.findByRole('link', { name: 'After' })).toBeTruthy()
  expect(screen.getByText('Live')).toBeTruthy()
})

test('a list that fails says so in its place, and is read again on Retry', async () => {
  const { server, user } = visit('/', { contracts: [contract()] })
  server.use(
    http.get(
      '*/api/v1/contracts',
      () =>
        HttpResponse.json({ code: 'INTERNAL', message: 'a defect of the server', requestId: 'r-9' }, { status: 500 }),
      { once: true },
    ),
  )
  expect((await screen.findByRole('alert')).textContent).toContain('a defect of the server')
  expect(screen.getByText('r-9')).toBeTruthy()
  await user.click(screen.getByRole('button', { name: 'Retry' }))
  expect(await screen.findByRole('link', { name: contract().name })).toBeTruthy()
})
