import { useQuery } from '@tanstack/react-query'
import { useEffect } from 'react'
import { Problem } from '~/api/problem'
import type { Description } from '~/features/reference/description'
import { Reference } from '~/features/reference/Reference'
import { Page } from '~/features/shell/Page'
import { useTitle } from '~/features/shell/useTitle'
import { Skeleton } from '~/ui/Skeleton'
import { Trouble } from '~/ui/Trouble'

async function read(signal: AbortSignal): Promise<Description> {
  const answer = await fetch('/api/v1/openapi.json', { signal })
  if (!answer.ok) throw Problem.of(answer, undefined)
  return answer.json()
}

/** The reference of the API, made from its own description; nobody need be signed in. */
export function Docs() {
  const { data, error, refetch } = useQuery({
    queryKey: ['openapi'],
    queryFn: ({ signal }) => read(signal),
    staleTime: Infinity,
  })
  const problem = error && Problem.from(error)
  useTitle('API reference')
  // What the address points to is there only now.
  useEffect(() => {
    if (data && window.location.hash)
      document.getElementById(decodeURIComponent(window.location.hash.slice(1)))?.scrollIntoView()
  }, [data])
  return (
    <Page crumbs={['API reference']}>
      {problem && !data && (
        <div className="p-4">
          <Trouble
            what="The reference can’t be shown"
            why={problem.message}
            requestId={problem.requestId}
            onRetry={() => void refetch()}
          />
        </div>
      )}
      {!data && !problem && <Skeleton rows={10} />}
      {data && <Reference description={data} />}
    </Page>
  )
}
