import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { answer, api } from '~/api/client'
import { meQuery } from '~/api/queries'
import { initials } from './initials'

const ITEM = 'flex h-7 w-full items-center rounded-2 px-2 text-left hover:bg-selected'

async function signOut() {
  await answer(api.DELETE('/api/v1/session')).catch(() => undefined)
  // A page that is loaded anew knows nothing of who was here.
  window.location.assign('/sign-in')
}

/** Who is signed in, and the way out. The browser's own popover: what opens it, closes it and where the focus goes is its. */
export function Owner() {
  const me = useQuery({ ...meQuery, enabled: false }).data
  if (!me) return null
  return (
    <>
      <button
        type="button"
        popoverTarget="owner"
        aria-label={`Signed in as ${me.principalName}`}
        title={me.principalName}
        className="size-6 shrink-0 rounded-[3px] bg-selected text-center font-semibold text-11 leading-6"
      >
        {initials(me.principalName)}
      </button>
      <div
        id="owner"
        popover="auto"
        className="fixed top-9.5 right-3 left-auto m-0 w-52 rounded-4 border border-line-strong bg-raised p-1 text-ink shadow-float"
      >
        <p className="truncate px-2 py-1 text-ink-2">
          {me.principalName}
          {me.ownerName !== me.principalName && `, ${me.ownerName}`}
        </p>
        <Link to="/docs" className={ITEM}>
          API reference
        </Link>
        <button type="button" className={ITEM} onClick={() => void signOut()}>
          Sign out
        </button>
      </div>
    </>
  )
}
