import { useQuery } from '@tanstack/react-query'
import { Link, useRouter } from '@tanstack/react-router'
import { ChevronRight, CirclePause, Monitor, Moon, Search, Server, Sun } from 'lucide-react'
import { Fragment, type ReactNode } from 'react'
import { daemonsQuery, meQuery } from '~/api/queries'
import { openPalette } from '~/features/palette/open'
import { chooseTheme, type Theme, useTheme } from '~/lib/theme'
import { Button } from '~/ui/Button'
import { COMMAND, Kbd } from '~/ui/Kbd'
import { LivePill } from './LivePill'
import { Owner } from './Owner'

interface Props {
  /** Where the page stands, from the outside in; the last is the page itself. */
  crumbs: readonly ReactNode[]
  children: ReactNode
}

/** A page: where it stands at the top, and what it shows. */
export function Page({ crumbs, children }: Props) {
  const { client } = useRouter().options.context
  // The pages that need no sign-in have no feed, no daemons and nothing to search.
  const signedIn = client.getQueryData(meQuery.queryKey) !== undefined
  return (
    <div className="grid h-full grid-rows-[40px_minmax(0,1fr)]">
      <header className="flex min-w-0 items-center gap-3 border-line border-b bg-surface px-4">
        <a
          href="#content"
          className="fixed top-1 left-1 z-20 rounded-4 bg-raised px-3 py-1 shadow-float not-focus:sr-only"
        >
          Skip to the content
        </a>
        <Link to="/" className="font-semibold">
          makima
        </Link>
        <span aria-hidden className="text-ink-3">
          /
        </span>
        <Crumbs crumbs={crumbs} />
        {signedIn && <Daemons />}
        {signedIn && <LivePill />}
        {signedIn && <SearchBox />}
        <ThemeButton />
        {signedIn && <Owner />}
      </header>
      <main id="content" tabIndex={-1} className="min-h-0 outline-none">
        {children}
      </main>
    </div>
  )
}

function Crumbs({ crumbs }: { crumbs: readonly ReactNode[] }) {
  const last = crumbs.length - 1
  return (
    <nav aria-label="Breadcrumb" className="flex min-w-0 flex-1 items-center gap-1.5 text-ink-2">
      {crumbs.map((crumb, n) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: their places are their names
        <Fragment key={n}>
          {n > 0 && <ChevronRight size={12} aria-hidden className="hidden shrink-0 text-ink-3 sm:block" />}
          <span
            aria-current={n === last ? 'page' : undefined}
            className={
              n === last ? 'truncate font-semibold text-ink' : 'hidden max-w-60 truncate hover:text-ink sm:block'
            }
          >
            {crumb}
          </span>
        </Fragment>
      ))}
    </nav>
  )
}

function Daemons() {
  const all = useQuery(daemonsQuery).data?.daemons
  if (!all?.length) return null
  const online = all.filter(({ status }) => status === 'online').length
  const Icon = online < all.length ? CirclePause : Server
  return (
    <Link to="/" className="hidden items-center gap-1.5 whitespace-nowrap text-ink-2 hover:text-ink lg:flex">
      <Icon size={14} aria-hidden className={online < all.length ? 'text-interrupted' : 'text-ink-3'} />
      {online === all.length
        ? `${online} ${online === 1 ? 'daemon' : 'daemons'}`
        : `${online} of ${all.length} daemons`}
    </Link>
  )
}

function SearchBox() {
  return (
    <button
      type="button"
      aria-keyshortcuts="Meta+K Control+K"
      onClick={openPalette}
      className="flex h-[26px] items-center justify-between gap-1.5 rounded-4 border border-line-strong bg-surface px-2 text-ink-3 hover:bg-hover md:w-56"
    >
      <span className="flex items-center gap-1.5">
        <Search size={14} aria-hidden />
        <span className="sr-only md:not-sr-only">Search or jump to</span>
      </span>
      <span className="hidden md:inline">
        <Kbd>{`${COMMAND}K`}</Kbd>
      </span>
    </button>
  )
}

const NEXT: Record<Theme, { theme: Theme; icon: typeof Sun }> = {
  system: { theme: 'light', icon: Monitor },
  light: { theme: 'dark', icon: Sun },
  dark: { theme: 'system', icon: Moon },
}

function ThemeButton() {
  const theme = useTheme()
  const { theme: next, icon: Icon } = NEXT[theme]
  return (
    <Button kind="bare" label={`Theme: ${theme}`} onClick={() => chooseTheme(next)}>
      <Icon size={16} aria-hidden />
    </Button>
  )
}
