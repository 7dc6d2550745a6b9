import { getRouteApi, useRouter } from '@tanstack/react-router'
import { useEffect } from 'react'
import { meQuery } from '~/api/queries'
import { ownPath, refused, takeWish } from '~/features/session/session'
import { Page } from '~/features/shell/Page'
import { useTitle } from '~/features/shell/useTitle'
import { useStore } from '~/lib/store'
import { Copy } from '~/ui/Copy'
import { Trouble } from '~/ui/Trouble'

const route = getRouteApi('/sign-in')

/** How one gets in, for who has no link, or one that is not taken any more. */
export function SignIn() {
  const problem = useStore(refused)
  useTitle('Sign in')
  useWelcomeBack()
  return (
    <Page crumbs={['Sign in']}>
      <div className="mx-auto flex max-w-[640px] flex-col gap-3 px-4 pt-[14vh]">
        <h1 className="font-semibold text-20">Sign in</h1>
        {problem && (
          <Trouble what="This link does not sign you in" why={problem.message} requestId={problem.requestId} />
        )}
        <p>In a terminal where makima knows your key, ask for a link. It works once, for ten minutes.</p>
        <p className="flex items-center gap-2 border-line-strong border-l-2 bg-sunken px-2.5 py-1">
          <code className="flex-1">makima open</code>
          <Copy text="makima open" what="command" />
        </p>
        <p className="text-ink-2">
          On the machine that runs <code>makima up</code> that is all. For a server elsewhere, name it and your key, as{' '}
          <code>makima help open</code> says.
        </p>
      </div>
    </Page>
  )
}

/** Who comes back to this tab after signing in in another goes on. */
function useWelcomeBack() {
  const router = useRouter()
  const { to } = route.useSearch()
  useEffect(() => {
    const look = async () => {
      if (document.visibilityState !== 'visible') return
      const { client } = router.options.context
      const me = await client.fetchQuery({ ...meQuery, staleTime: 0, retry: false }).catch(() => undefined)
      if (me) router.history.replace(ownPath(to) ?? takeWish() ?? '/')
    }
    document.addEventListener('visibilitychange', look)
    return () => document.removeEventListener('visibilitychange', look)
  }, [router, to])
}
