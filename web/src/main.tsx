import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { createRoot } from 'react-dom/client'
import { Live } from './api/live'
import { Problem } from './api/problem'
import { meQuery } from './api/queries'
import { makeRouter } from './router'
import './styles/index.css'

const client = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      // The session is over: the router asks who one is, and leads to the sign-in, and from there back.
      if (Problem.from(error).status === 401 && query.queryKey[0] !== 'me' && client.getQueryData(meQuery.queryKey)) {
        client.removeQueries({ queryKey: meQuery.queryKey })
        void router.invalidate()
      }
    },
  }),
  defaultOptions: {
    queries: {
      // The live feed says when something is old.
      staleTime: 30_000,
      refetchOnWindowFocus: false,
      // What the server refuses it refuses again; what can't be reached may be there in a moment.
      retry: (times, error) => times < 2 && ['UNREACHABLE', 'DB_UNAVAILABLE'].includes(Problem.from(error).code),
    },
  },
})
const router = makeRouter({ client, live: new Live(client) })

const place = document.getElementById('root')
if (place) {
  createRoot(place).render(
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  )
}
