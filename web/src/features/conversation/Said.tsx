import { useState } from 'react'
import type { Message } from '~/api/client'
import { counted } from '~/lib/amount'
import { bounded, plain } from '~/lib/plain'
import { clock, moment } from '~/lib/time'
import { Button } from '~/ui/Button'
import { Prose } from './Prose'

/** A message longer than this is cut, and shown in full when asked for. */
const LINES = 200

/** Who speaks at the left, what at the right. */
export function Speech({ by, at, children }: { by: string; at?: string; children: React.ReactNode }) {
  return (
    <div className="grid grid-cols-1 px-4 py-1 sm:grid-cols-[92px_minmax(0,1fr)] sm:gap-x-3">
      <div className="flex min-w-0 items-baseline gap-2 sm:block">
        <div className="truncate font-semibold">{by}</div>
        {at && (
          <time dateTime={at} title={moment(at)} className="mono block text-[11px]/[16px] text-ink-3">
            {clock(at)}
          </time>
        )}
      </div>
      <div className="min-w-0">{children}</div>
    </div>
  )
}

/** What a person, the agent or its program said. */
export function Said({ message, agent }: { message: Message; agent: string }) {
  const by = { user: 'You', assistant: agent, system: 'system', tool: message.toolName ?? 'tool' }[message.role]
  return (
    <Speech by={by} at={message.timestamp}>
      <Words text={message.content} verbatim={message.role !== 'assistant'} />
      {message.incomplete && <p className="text-ink-3">Cut off here.</p>}
    </Speech>
  )
}

/** Markdown of an agent; what a person wrote is shown as it was written. */
export function Words({ text, verbatim = false }: { text: string; verbatim?: boolean }) {
  const [whole, setWhole] = useState(false)
  const shown = whole ? { text, more: 0 } : bounded(text, LINES)
  return (
    <>
      {verbatim ? (
        <div className="prose whitespace-pre-wrap">{plain(shown.text)}</div>
      ) : (
        <Prose text={plain(shown.text)} />
      )}
      {shown.more > 0 && (
        <Button small kind="bare" className="-ml-1.5" onClick={() => setWhole(true)}>
          {counted(shown.more, 'more line')}
        </Button>
      )}
    </>
  )
}
