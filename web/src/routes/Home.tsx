import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { Search } from 'lucide-react'
import { type ReactNode, useDeferredValue, useEffect, useRef, useState } from 'react'
import { useHotkeys } from 'react-hotkeys-hook'
import { Problem } from '~/api/problem'
import { contractsQuery, daemonsQuery, tasksQuery } from '~/api/queries'
import { ContractTable } from '~/features/contracts/ContractTable'
import { DaemonList } from '~/features/daemons/DaemonList'
import { Waiting } from '~/features/questions/Waiting'
import { Page } from '~/features/shell/Page'
import { useRowKeys } from '~/features/shell/useRowKeys'
import { useTitle } from '~/features/shell/useTitle'
import { TaskTable } from '~/features/tasks/TaskTable'
import { useNow } from '~/lib/now'
import { duration } from '~/lib/time'
import { Button, buttonLook } from '~/ui/Button'
import { Empty } from '~/ui/Empty'
import { Kbd } from '~/ui/Kbd'
import { Segments } from '~/ui/Segments'
import { Skeleton } from '~/ui/Skeleton'
import { Trouble } from '~/ui/Trouble'

const route = getRouteApi('/_app/')

const SHOWN = [
  { value: 'active', label: 'Active' },
  { value: 'completed', label: 'Completed' },
  { value: 'archived', label: 'Archived' },
  { value: 'all', label: 'All' },
] as const

/** What waits, what is worked on, and on which machines. */
export function Home() {
  useTitle('Contracts and tasks')
  useRowKeys()
  return (
    <Page crumbs={['Contracts and tasks']}>
      <div className="h-full overflow-y-auto md:grid md:grid-cols-[minmax(0,1fr)_300px] md:overflow-hidden lg:grid-cols-[minmax(0,1fr)_336px]">
        <div className="px-4 pt-3 pb-8 md:overflow-y-auto md:pr-6">
          <div className="flex flex-wrap items-center gap-2">
            <h1 className="font-semibold text-20 -tracking-[.005em]">Contracts and tasks</h1>
            <span className="flex-1" />
            <Filter />
            <Link from="/" to="." search={before => ({ ...before, new: 'task' })} className={buttonLook()}>
              New task
            </Link>
            <Link from="/" to="." search={before => ({ ...before, new: 'contract' })} className={buttonLook()}>
              New contract
            </Link>
          </div>
          <WaitsForYou />
          <Contracts />
          <LooseTasks />
        </div>
        <aside
          aria-label="Machines"
          className="border-line border-t bg-surface md:overflow-y-auto md:border-t-0 md:border-l"
        >
          <DaemonList />
        </aside>
      </div>
    </Page>
  )
}

function Filter() {
  const { q = '' } = route.useSearch()
  const navigate = route.useNavigate()
  const box = useRef<HTMLInputElement>(null)
  const [words, setWords] = useState(q)
  const settled = useDeferredValue(words)
  useHotkeys('/', () => box.current?.focus(), { preventDefault: true, useKey: true })
  useEffect(() => {
    if (settled === q) return
    const timer = setTimeout(() => {
      void navigate({ search: before => ({ ...before, q: settled || undefined }), replace: true })
    }, 150)
    return () => clearTimeout(timer)
  }, [settled, q, navigate])
  return (
    <label className="relative flex h-7 w-full items-center gap-1.5 rounded-4 border border-edge bg-surface px-2 has-focus-visible:outline-2 has-focus-visible:outline-accent has-focus-visible:outline-offset-1 sm:w-[200px]">
      <Search size={14} aria-hidden className="shrink-0 text-ink-3" />
      <input
        ref={box}
        type="search"
        aria-label="Filter contracts and tasks"
        placeholder="Filter"
        value={words}
        onChange={event => setWords(event.target.value)}
        onKeyDown={event => {
          if (event.key !== 'Escape') return
          setWords('')
          event.currentTarget.blur()
        }}
        className="min-w-0 flex-1 bg-transparent outline-none [&::-webkit-search-cancel-button]:hidden"
      />
      <Kbd>/</Kbd>
    </label>
  )
}

function Section({
  id,
  title,
  note,
  aside,
  children,
}: {
  id: string
  title: string
  note?: ReactNode
  aside?: ReactNode
  children: ReactNode
}) {
  return (
    <section aria-labelledby={id} className="mt-4">
      <div className="flex min-h-8 flex-wrap items-center gap-2">
        <h2 id={id} className="font-semibold text-15">
          {title}
        </h2>
        {note !== undefined && <span className="text-ink-3">{note}</span>}
        <span className="flex-1" />
        {aside}
      </div>
      {children}
    </section>
  )
}

function WaitsForYou() {
  const waiting = useInfiniteQuery(tasksQuery({ status: ['waiting'] }))
  const contracts = useInfiniteQuery(contractsQuery({ status: 'active' })).data?.pages.flatMap(page => page.contracts)
  const tasks = waiting.data?.pages.flatMap(page => page.tasks).filter(task => task.pendingQuestion)
  if (!tasks?.length) return null
  return (
    <Section id="waits" title="Waits for you" note={<Oldest tasks={tasks} />}>
      <Waiting tasks={tasks} contracts={contracts ?? []} />
    </Section>
  )
}

function Oldest({ tasks }: { tasks: { updatedAt?: string; createdAt: string }[] }) {
  const oldest = Math.min(...tasks.map(task => Date.parse(task.updatedAt ?? task.createdAt)))
  const ms = useNow(now => Math.max(0, Math.floor((now - oldest) / 60_000) * 60_000))
  return ms > 0 ? `${tasks.length}, oldest ${duration(ms)}` : String(tasks.length)
}

function Contracts() {
  const { q, contracts: shown = 'active' } = route.useSearch()
  const navigate = route.useNavigate()
  const list = useInfiniteQuery(contractsQuery({ status: shown === 'all' ? undefined : shown, q }))
  const contracts = list.data?.pages.flatMap(page => page.contracts)
  const problem = list.error && Problem.from(list.error)
  return (
    <Section
      id="contracts"
      title="Contracts"
      note={list.data?.pages[0] && `${list.data.pages[0].totalCount}${shown === 'all' ? '' : ` ${shown}`}`}
      aside={
        <Segments
          label="Which contracts"
          value={shown}
          options={SHOWN}
          onChange={next =>
            void navigate({ search: before => ({ ...before, contracts: next === 'active' ? undefined : next }) })
          }
        />
      }
    >
      {problem && !contracts && (
        <Trouble
          what="The contracts can’t be shown"
          why={problem.message}
          requestId={problem.requestId}
          onRetry={() => void list.refetch()}
        />
      )}
      {!contracts && !problem && <Skeleton rows={4} />}
      {contracts && contracts.length > 0 && <ContractTable contracts={contracts} />}
      {contracts?.length === 0 && <NoContracts filtered={!!q || shown !== 'active'} />}
      <More list={list} />
    </Section>
  )
}

function NoContracts({ filtered }: { filtered: boolean }) {
  if (filtered) return <Empty title="No contract fits" />
  return (
    <Empty title="No contracts yet">
      A contract is a goal with a repository and a phase, from research to review. Its tasks share that repository, and
      what they cost and how far they are stands here in one row.
    </Empty>
  )
}

function LooseTasks() {
  const { q } = route.useSearch()
  const list = useInfiniteQuery(tasksQuery({ loose: true, q }))
  const daemons = useQuery(daemonsQuery).data?.daemons ?? []
  const tasks = list.data?.pages.flatMap(page => page.tasks)
  const problem = list.error && Problem.from(list.error)
  return (
    <Section id="loose" title="Loose tasks" note={list.data?.pages[0]?.totalCount}>
      {problem && !tasks && (
        <Trouble
          what="The tasks can’t be shown"
          why={problem.message}
          requestId={problem.requestId}
          onRetry={() => void list.refetch()}
        />
      )}
      {!tasks && !problem && <Skeleton rows={4} />}
      {tasks && tasks.length > 0 && <TaskTable label="Loose tasks" tasks={tasks} daemons={daemons} />}
      {tasks?.length === 0 &&
        (q ? (
          <Empty title="No task fits" />
        ) : (
          <Empty title="No loose tasks">
            A task is one agent that works on a plan, in a git worktree and on a branch of its own. Those that belong to
            no contract stand here: make one with New task, or in a terminal with <code>makima run "…"</code> inside a
            repository.
          </Empty>
        ))}
      <More list={list} />
    </Section>
  )
}

interface Paged {
  hasNextPage: boolean
  isFetchingNextPage: boolean
  fetchNextPage: () => Promise<unknown>
}

function More({ list }: { list: Paged }) {
  if (!list.hasNextPage) return null
  return (
    <Button className="mt-2" small disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
      Show older
    </Button>
  )
}
