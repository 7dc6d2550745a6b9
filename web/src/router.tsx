import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  type RouterHistory,
  redirect,
} from '@tanstack/react-router'
import type { Live } from './api/live'
import { Problem } from './api/problem'
import { meQuery } from './api/queries'
import { keepWish, ownPath, signIn, takeWish } from './features/session/session'
import { Broken } from './features/shell/Broken'
import { NotThere } from './features/shell/NotThere'
import { App } from './routes/App'

/** What every page can reach. */
export interface Context {
  client: QueryClient
  live: Live
}

const root = createRootRouteWithContext<Context>()({
  component: Outlet,
  notFoundComponent: () => <NotThere />,
  errorComponent: Broken,
})

const signInRoute = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: (search: Record<string, unknown>): { to?: string } => ({ to: ownPath(search.to) }),
  beforeLoad: async ({ location, context, search }) => {
    // In the fragment, since that is sent to nobody. It works once, so it may not stay in the address.
    if (!location.hash) return
    const token = location.hash
    if (await signIn(context.client, token)) {
      // The feed of who was here before is not theirs.
      context.live.stop()
      throw redirect({ href: search.to ?? takeWish() ?? '/', replace: true })
    }
    throw redirect({ to: '/sign-in', search, hash: '', replace: true })
  },
  component: lazyRouteComponent(() => import('./routes/SignIn'), 'SignIn'),
})

const docs = createRoute({
  getParentRoute: () => root,
  path: '/docs',
  component: lazyRouteComponent(() => import('./routes/Docs'), 'Docs'),
})

const app = createRoute({
  getParentRoute: () => root,
  id: '_app',
  validateSearch: (search: Record<string, unknown>): { new?: 'task' | 'contract' } => ({
    new: search.new === 'task' || search.new === 'contract' ? search.new : undefined,
  }),
  beforeLoad: async ({ context: { client, live }, location }) => {
    try {
      await client.ensureQueryData(meQuery)
    } catch (thrown) {
      if (Problem.from(thrown).status !== 401) throw thrown
      live.stop()
      const to = ownPath(location.href)
      if (to && to !== '/') keepWish(to)
      throw redirect({ to: '/sign-in', search: { to: to === '/' ? undefined : to }, replace: true })
    }
    // Before anything is read: what happens after it is told.
    await live.start()
  },
  component: App,
})

const CONTRACTS = ['active', 'completed', 'archived', 'all'] as const

/** What of the first page is in its address. */
interface HomeSearch {
  q?: string
  contracts?: (typeof CONTRACTS)[number]
}

const home = createRoute({
  getParentRoute: () => app,
  path: '/',
  validateSearch: (search: Record<string, unknown>): HomeSearch => ({
    q: typeof search.q === 'string' && search.q ? search.q.slice(0, 200) : undefined,
    contracts: CONTRACTS.find(each => each === search.contracts),
  }),
  component: lazyRouteComponent(() => import('./routes/Home'), 'Home'),
})

const contract = createRoute({
  getParentRoute: () => app,
  path: '/contracts/$id',
  component: lazyRouteComponent(() => import('./routes/Contract'), 'ContractPage'),
})

const task = createRoute({
  getParentRoute: () => app,
  path: '/tasks/$id',
  component: lazyRouteComponent(() => import('./routes/Task'), 'TaskPage'),
})

const taskIndex = createRoute({
  getParentRoute: () => task,
  path: '/',
  beforeLoad: ({ params }) => {
    throw redirect({ to: '/tasks/$id/conversation', params, replace: true })
  },
})

const conversation = createRoute({
  getParentRoute: () => task,
  path: '/conversation',
  component: lazyRouteComponent(() => import('./routes/Conversation'), 'ConversationPage'),
})

const checkpoints = createRoute({
  getParentRoute: () => task,
  path: '/checkpoints',
  component: lazyRouteComponent(() => import('./routes/Checkpoints'), 'CheckpointsPage'),
})

const tree = root.addChildren([
  signInRoute,
  docs,
  app.addChildren([home, contract, task.addChildren([taskIndex, conversation, checkpoints])]),
])

export function makeRouter(context: Context, history?: RouterHistory) {
  return createRouter({
    routeTree: tree,
    context,
    history,
    defaultPreload: 'intent',
    // The queries know how fresh they are.
    defaultPreloadStaleTime: 0,
    scrollRestoration: false,
  })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>
  }
}
