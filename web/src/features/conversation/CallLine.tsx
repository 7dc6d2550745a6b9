import {
  Bot,
  ChevronDown,
  ChevronRight,
  CircleX,
  Eye,
  FilePlus2,
  Globe,
  ListTodo,
  LoaderCircle,
  Pencil,
  Search,
  Terminal,
  Wrench,
} from 'lucide-react'
import { duration } from '~/lib/time'
import { classes } from '~/ui/classes'
import { gist, given, outcome, size } from './call'
import { type Call, took } from './lines'
import { Output } from './Output'

const ICONS: Record<string, typeof Wrench> = {
  Bash: Terminal,
  Read: Eye,
  Edit: Pencil,
  MultiEdit: Pencil,
  NotebookEdit: Pencil,
  Write: FilePlus2,
  Grep: Search,
  Glob: Search,
  WebFetch: Globe,
  WebSearch: Globe,
  TodoWrite: ListTodo,
  Task: Bot,
}

interface Props {
  call: Call
  first: boolean
  last: boolean
  worktree?: string | null
  /** Where no result is there: whether the agent is at it, or asks first. */
  doing?: 'working' | 'asking'
  open: boolean
  onToggle: () => void
}

/** A tool call in one line; opened, what it was given and what came of it. */
export function CallLine({ call, first, last, worktree, doing, open, onToggle }: Props) {
  const { name, input, result } = call
  const failed = result?.isError ?? false
  const Icon = failed ? CircleX : (ICONS[name] ?? Wrench)
  const Chevron = open ? ChevronDown : ChevronRight
  const ms = took(call)
  return (
    <div className={classes('mr-4 ml-4 sm:ml-[120px]', last && 'mb-1')}>
      <button
        type="button"
        aria-expanded={open}
        onClick={onToggle}
        className={classes(
          'flex h-7 w-full items-center gap-2 border-line border-b px-2 text-left -outline-offset-2 hover:bg-hover',
          first && 'border-t',
          open && 'bg-hover',
        )}
      >
        <Chevron size={14} aria-hidden className="shrink-0 text-ink-3" />
        <Icon size={14} aria-hidden className={classes('shrink-0', failed ? 'text-failed' : 'text-ink-2')} />
        <span className="mono min-w-11 shrink-0 font-semibold">{name}</span>
        <span className="mono min-w-0 flex-1 truncate">{gist(name, input, worktree)}</span>
        <Came call={call} doing={doing} />
        <span className="mono hidden w-13 shrink-0 text-right text-ink-3 sm:inline">
          {ms === undefined || ms < 50 ? '' : duration(ms)}
        </span>
      </button>
      {open && <Opened call={call} />}
    </div>
  )
}

function Came({ call: { name, input, result, incomplete }, doing }: Pick<Props, 'call' | 'doing'>) {
  if (!result) {
    if (doing === 'asking') return <span className="shrink-0 text-waiting">asks first</span>
    if (doing === 'working') {
      return (
        <span className="inline-flex shrink-0 items-center gap-1.5 text-running">
          <LoaderCircle size={12} aria-hidden className="motion-safe:animate-spin" />
          at it
        </span>
      )
    }
    return <span className="shrink-0 text-ink-3">{incomplete ? 'cut off' : 'no result'}</span>
  }
  const changed = result.isError ? undefined : size(name, input)
  if (changed) {
    return (
      <span className="mono shrink-0">
        <span className="text-add">+{changed.added}</span> <span className="text-del">−{changed.removed}</span>
      </span>
    )
  }
  const words = outcome(name, result.toolResult ?? '', result.isError ?? false)
  return <span className={classes('mono shrink-0', result.isError ? 'text-failed' : 'text-ink-2')}>{words}</span>
}

function Opened({ call: { name, input, result } }: { call: Call }) {
  const shown = given(name, input)
  return (
    <div className="flex flex-col gap-1.5 border-line border-b py-1.5 pl-2 sm:pl-13">
      {shown.text && <Output label={`What ${name} was called with`} text={shown.text} diff={shown.kind === 'diff'} />}
      {result && (
        <Output label={`What ${name} answered`} text={result.toolResult ?? ''} failed={result.isError ?? false} />
      )}
      {!result && <p className="text-ink-3">It has not answered.</p>}
    </div>
  )
}
