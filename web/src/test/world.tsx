import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { createMemoryHistory, RouterProvider } from '@tanstack/react-router'
import { render } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, vi } from 'vitest'
import type { Contract, Daemon, Message, Task } from '~/api/client'
import { FEED_EVENTS, type FeedEvent } from '~/api/feed'
import { Live } from '~/api/live'
import { makeRouter } from '~/router'

/** The live feed, told by the test. */
class Feed extends EventTarget {
  static readonly CLOSED = 2
  static open: Feed | undefined
  readyState = 1
  onopen: (() => void) | null = null
  onerror: (() => void) | null = null

  constructor() {
    super()
    Feed.open = this
    queueMicrotask(() => this.onopen?.())
  }

  close() {
    this.readyState = Feed.CLOSED
  }
}

/** What the server of a test has. */
export interface World {
  signedIn: boolean
  tasks: Task[]
  contracts: Contract[]
  /** How often the first contract was changed. */
  version: number
  daemons: Daemon[]
  messages: Message[]
  /** What was asked of it beside reading. */
  asked: { path: string; body: unknown }[]
}

const ME = { principalId: 'p', principalName: 'Hanna Keller', ownerId: 'o', ownerName: 'Hanna Keller', via: 'session' }

const refuse = (status: number, code: string, message: string) =>
  HttpResponse.json({ code, message, requestId: `request-of-${code}` }, { status })

function handlers(world: World) {
  const note = async (request: Request) => {
    const body: unknown = await request.json().catch(() => undefined)
    world.asked.push({ path: new URL(request.url).pathname, body })
    return body as Record<string, string>
  }
  const task = (id: unknown) => world.tasks.find(each => each.id === id)
  return [
    http.get('*/api/v1/me', () =>
      world.signedIn ? HttpResponse.json(ME) : refuse(401, 'UNAUTHORIZED', 'Sign in first'),
    ),
    http.post('*/api/v1/session', async ({ request }) => {
      const { token } = await note(request)
      if (token !== 'good') return refuse(401, 'UNAUTHORIZED', 'The link was used, or is too old')
      world.signedIn = true
      return HttpResponse.json(ME, { status: 201 })
    }),
    http.get('*/api/v1/mesh/tasks', ({ request }) => {
      const { searchParams } = new URL(request.url)
      const status = searchParams.getAll('status')
      const contract = searchParams.get('contract_id')
      const tasks = world.tasks.filter(
        each =>
          (status.length === 0 || status.includes(each.status)) &&
          (!contract || (each.contractId ?? 'none') === contract) &&
          each.name.includes(searchParams.get('q') ?? ''),
      )
      return HttpResponse.json({ tasks, totalCount: tasks.length })
    }),
    http.get('*/api/v1/mesh/tasks/:id', ({ params }) => {
      const found = task(params.id)
      return found ? HttpResponse.json(found) : refuse(404, 'NOT_FOUND', 'there is no such task')
    }),
    http.get('*/api/v1/mesh/tasks/:id/conversation', ({ params }) =>
      HttpResponse.json({
        taskId: params.id,
        taskName: 'T',
        status: 'running',
        totalTokens: 0,
        totalCost: 0,
        messages: world.messages,
      }),
    ),
    http.get('*/api/v1/mesh/tasks/:id/checkpoints', () => HttpResponse.json({ checkpoints: [], totalCount: 0 })),
    http.post('*/api/v1/mesh/tasks/:id/:verb', async ({ params, request }) => {
      await note(request)
      const found = task(params.id)
      return params.verb === 'messages'
        ? HttpResponse.json({ messageId: 'sent', task: found }, { status: 201 })
        : HttpResponse.json(found)
    }),
    http.post('*/api/v1/mesh/tasks', async ({ request }) => {
      const body = await note(request)
      const [first] = world.tasks
      return HttpResponse.json({ ...first, ...body, id: first?.id }, { status: 201 })
    }),
    http.get('*/api/v1/contracts', () =>
      HttpResponse.json({ contracts: world.contracts, totalCount: world.contracts.length }),
    ),
    http.get('*/api/v1/contracts/:id', () =>
      HttpResponse.json(world.contracts[0], { headers: { etag: `"${world.version}"` } }),
    ),
    http.patch('*/api/v1/contracts/:id', async ({ request }) => {
      const body = await note(request)
      if (request.headers.get('if-match') !== `"${world.version}"`) {
        return refuse(412, 'PRECONDITION_FAILED', 'it has been changed since it was read')
      }
      world.version += 1
      world.contracts = world.contracts.map((each, at) => (at === 0 ? { ...each, ...body } : each))
      return HttpResponse.json(world.contracts[0], { headers: { etag: `"${world.version}"` } })
    }),
    http.post('*/api/v1/contracts/:id/phase', async ({ request }) => {
      const body = await note(request)
      return HttpResponse.json({ ...world.contracts[0], ...body })
    }),
    http.get('*/api/v1/mesh/daemons', () =>
      HttpResponse.json({ daemons: world.daemons, totalCount: world.daemons.length }),
    ),
  ]
}

const server = setupServer()

/** Gives each test of a file a server that only it has. */
export function withServer() {
  beforeAll(() => {
    vi.stubGlobal('EventSource', Feed)
    // jsdom draws nothing.
    Element.prototype.scrollTo = () => undefined
    window.scrollTo = () => undefined
    vi.stubGlobal(
      'ResizeObserver',
      class {
        observe() {}
        unobserve() {}
        disconnect() {}
      },
    )
    server.listen({ onUnhandledRequest: 'error' })
  })
  afterEach(() => server.resetHandlers())
  afterAll(() => server.close())
}

/** Opens a page of a world. */
export function visit(path: string, change: Partial<World> = {}) {
  const world: World = {
    signedIn: true,
    tasks: [],
    contracts: [],
    version: 1,
    daemons: [],
    messages: [],
    asked: [],
    ...change,
  }
  server.use(...handlers(world))
  const client = new QueryClient({ defaultOptions: { queries: { retry: false, staleTime: 30_000 } } })
  const live = new Live(client)
  const router = makeRouter({ client, live }, createMemoryHistory({ initialEntries: [path] }))
  render(
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  )
  return { world, router, live, server, user: userEvent.setup() }
}

/** Tells an event of the live feed. */
export function tell(event: FeedEvent) {
  if (!FEED_EVENTS.includes(event.type)) throw new Error(event.type)
  Feed.open?.dispatchEvent(new MessageEvent(event.type, { data: JSON.stringify(event.data) }))
}

/** Breaks the live feed off, and opens it again. */
export const feed = {
  breaks: () => {
    if (Feed.open) Feed.open.readyState = 0
    Feed.open?.onerror?.()
  },
  returns: () => Feed.open?.onopen?.(),
}
