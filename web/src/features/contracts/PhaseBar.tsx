import type { ContractStatus, Phase } from '~/api/client'
import { classes } from '~/ui/classes'

export const PHASES: readonly Phase[] = ['research', 'specify', 'plan', 'execute', 'review']

/** How far a contract's work has come: those behind, the present one, those ahead; and its word. */
export function PhaseBar({ phase, status }: { phase: Phase; status: ContractStatus }) {
  if (status !== 'active') return <span className="text-ink-2">{status}</span>
  const now = PHASES.indexOf(phase)
  return (
    <span className="inline-flex items-center gap-2 align-top whitespace-nowrap">
      <span aria-hidden className="inline-grid grid-cols-[repeat(5,10px)] gap-0.5">
        {PHASES.map((each, n) => (
          <i key={each} className={classes('h-1.5', n < now ? 'bg-bar' : n === now ? 'bg-ink' : 'bg-bar-dim')} />
        ))}
      </span>
      {phase}
    </span>
  )
}
