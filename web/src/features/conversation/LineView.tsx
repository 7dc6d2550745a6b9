import { ChevronDown, ChevronRight, Ellipsis, GitCommitHorizontal, LoaderCircle } from 'lucide-react'
import type { ReactNode } from 'react'
import type { Checkpoint } from '~/api/client'
import type { Draft } from '~/api/feed'
import { FileList } from '~/features/checkpoints/FileList'
import { counted, dollars, short } from '~/lib/amount'
import { useNow } from '~/lib/now'
import { plain } from '~/lib/plain'
import { clock, duration, moment } from '~/lib/time'
import { classes } from '~/ui/classes'
import type { Line } from './lines'
import { Prose } from './Prose'
import { Speech, Words } from './Said'

interface Foldable {
  open: boolean
  onToggle: () => void
}

/** Where a turn begins: when, how much was done in it, what it cost. */
export function TurnLine({ line }: { line: Extract<Line, { kind: 'turn' }> }) {
  const from = clock(line.from)
  const to = clock(line.to)
  return (
    <h3 className="mt-1 flex h-7 items-center gap-2.5 overflow-hidden px-4 text-12 whitespace-nowrap text-ink-3 after:flex-1 after:border-line after:border-t">
      <span className="font-semibold text-ink-2">Turn {line.turn}</span>
      {line.run !== undefined && line.run > 1 && <span className="text-ink-2">run {line.run}</span>}
      <span title={moment(line.from)}>{from === to ? from : `${from} to ${to}`}</span>
      {line.calls > 0 && <span>{counted(line.calls, 'call')}</span>}
      {line.tokens > 0 && <span>{short(line.tokens)} tokens</span>}
      {line.cost > 0 && <span>${dollars(line.cost)}</span>}
    </h3>
  )
}

/** A line that opens, in the column of what was said. */
function Fold({
  open,
  onToggle,
  icon,
  title,
  children,
}: Foldable & { icon: ReactNode; title: ReactNode; children: ReactNode }) {
  const Chevron = open ? ChevronDown : ChevronRight
  return (
    <div className="mr-4 ml-4 sm:ml-[120px]">
      <button
        type="button"
        aria-expanded={open}
        onClick={onToggle}
        className="flex h-7 w-full items-center gap-2 px-2 text-left text-ink-2 -outline-offset-2 hover:bg-hover"
      >
        <Chevron size={14} aria-hidden className="shrink-0 text-ink-3" />
        {icon}
        {title}
      </button>
      {open && children}
    </div>
  )
}

/** What the model thought before it spoke. */
export function ThoughtLine({ text, open, onToggle }: Foldable & { text: string }) {
  const first = text.slice(0, 200).split('\n', 1)[0]
  return (
    <Fold
      open={open}
      onToggle={onToggle}
      icon={<Ellipsis size={14} aria-hidden className="shrink-0" />}
      title={
        <>
          <span className="shrink-0">Thinking</span>
          {!open && <span className="min-w-0 truncate text-ink-3">{plain(first ?? '')}</span>}
        </>
      }
    >
      <div className="py-1.5 pr-2 pl-13 text-ink-2">
        <Words text={text} />
      </div>
    </Fold>
  )
}

/** A checkpoint where it was made; opened, the files that changed since the one before. */
export function CheckpointLine({ checkpoint, open, onToggle }: Foldable & { checkpoint: Checkpoint }) {
  const Chevron = open ? ChevronDown : ChevronRight
  return (
    <div className="px-4">
      <button
        type="button"
        aria-expanded={open}
        onClick={onToggle}
        className="flex h-7 w-full items-center gap-2.5 overflow-hidden text-left text-12 whitespace-nowrap text-ink-2 -outline-offset-2 after:flex-1 after:border-line after:border-t hover:text-ink"
      >
        <GitCommitHorizontal size={14} aria-hidden className="shrink-0" />
        <span className="font-semibold">Checkpoint {checkpoint.checkpointNumber}</span>
        <span>{counted(checkpoint.filesChanged.length, 'file')}</span>
        <span className="mono">
          <span className="text-add">+{checkpoint.linesAdded}</span>{' '}
          <span className="text-del">−{checkpoint.linesRemoved}</span>
        </span>
        <span className="mono hidden text-ink-3 sm:inline">{checkpoint.commitSha.slice(0, 8)}</span>
        <Chevron size={12} aria-hidden className="shrink-0 text-ink-3" />
      </button>
      {open && (
        <div className="mb-1 sm:ml-[104px]">
          <FileList checkpoint={checkpoint} />
        </div>
      )}
    </div>
  )
}

/** What the agent is saying at this moment. */
export function DraftLine({ draft, agent }: { draft: Draft; agent: string }) {
  return (
    <Speech by={agent}>
      {draft.thinking && !draft.text && (
        <p className="max-w-[84ch] whitespace-pre-wrap text-ink-3">{plain(draft.thinking.slice(-600))}</p>
      )}
      {draft.text && <Prose text={plain(draft.text.slice(-20_000))} />}
    </Speech>
  )
}

/** That somebody is at work, and since when nothing was heard. */
export function WorkingLine({ what, since }: { what: string; since: string }) {
  const quiet = useNow(now => {
    const ms = now - Date.parse(since)
    return ms < 3000 ? '' : duration(ms)
  })
  return (
    <p className="flex h-7 items-center gap-2 px-4 text-ink-3 sm:pl-[128px]">
      <LoaderCircle size={14} aria-hidden className={classes('shrink-0 text-running motion-safe:animate-spin')} />
      {what}
      {quiet && <span className="mono">{quiet}</span>}
    </p>
  )
}

/** A message that the agent hasn't been told yet. */
export function UnsaidLine({ text }: { text: string }) {
  return (
    <Speech by="You">
      <Words text={text} verbatim />
      <p className="text-12 text-ink-3">Kept. The agent is told when its turn has ended.</p>
    </Speech>
  )
}
