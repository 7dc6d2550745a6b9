import { useRouter } from '@tanstack/react-router'
import { Problem } from '~/api/problem'
import { Trouble } from '~/ui/Trouble'
import { Page } from './Page'

/** A page that could not be shown at all. */
export function Broken({ error, reset }: { error: unknown; reset: () => void }) {
  const router = useRouter()
  const problem = Problem.from(error)
  return (
    <Page crumbs={['makima']}>
      <div className="p-4">
        <h1 className="sr-only">The page can’t be shown</h1>
        <Trouble
          what="The page can’t be shown"
          why={problem.message}
          requestId={problem.requestId}
          onRetry={() => {
            reset()
            void router.invalidate()
          }}
        />
      </div>
    </Page>
  )
}
