import { Link } from '@tanstack/react-router'
import { Page } from './Page'
import { useTitle } from './useTitle'

/** A page that isn't there, or what it is about. */
export function NotThere({ what = 'page' }: { what?: 'page' | 'task' | 'contract' }) {
  useTitle('Not found')
  return (
    <Page crumbs={['Not found']}>
      <div className="px-4 py-3">
        <h1 className="font-semibold text-20">There is no such {what}</h1>
        <p className="text-ink-2">
          {what === 'page' ? 'Nothing has this address.' : `No ${what} of yours has this address.`} Go to{' '}
          <Link to="/" className="underline decoration-line-strong underline-offset-3 hover:decoration-current">
            contracts and tasks
          </Link>
          .
        </p>
      </div>
    </Page>
  )
}
