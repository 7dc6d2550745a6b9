import { useRouter } from '@tanstack/react-router'
import { useNow } from '~/lib/now'
import { useStore } from '~/lib/store'
import { clock } from '~/lib/time'
import { classes } from '~/ui/classes'

/** So long a lost connection is only about to come back. */
const BRIEF = 10_000

/** Whether what is shown is what is. */
export function LivePill() {
  const { live } = useRouter().options.context
  const liveness = useStore(live.liveness)
  const since = liveness.state === 'lost' ? liveness.since : 0
  const long = useNow(now => since > 0 && now - since > BRIEF)
  const [words, tone, title] =
    liveness.state === 'live'
      ? ['Live', 'bg-done', 'Events arrive as they are stored']
      : liveness.state === 'connecting'
        ? ['Connecting', 'bg-bar', 'The live feed is being opened']
        : long
          ? [`Offline since ${clock(since)}`, 'bg-failed', 'The server can’t be reached; what is shown is from before']
          : ['Reconnecting', 'bg-waiting', 'The live feed broke off; nothing is missed once it is back']
  return (
    <output title={title} className="inline-flex items-center gap-1.5 whitespace-nowrap text-ink-2">
      <i aria-hidden className={classes('size-[7px] rounded-full', tone)} />
      <span className={liveness.state === 'live' ? 'sr-only sm:not-sr-only' : undefined}>{words}</span>
    </output>
  )
}
