import {
  Ban,
  CircleCheck,
  CircleDashed,
  CirclePause,
  CirclePlay,
  CircleQuestionMark,
  CircleX,
  LoaderCircle,
} from 'lucide-react'
import type { TaskStatus } from '~/api/client'
import { classes } from '~/ui/classes'

const LOOK: Record<TaskStatus, { icon: typeof Ban; tone: string }> = {
  pending: { icon: CircleDashed, tone: 'text-cancelled' },
  starting: { icon: LoaderCircle, tone: 'text-running' },
  running: { icon: CirclePlay, tone: 'text-running' },
  waiting: { icon: CircleQuestionMark, tone: 'text-waiting' },
  completed: { icon: CircleCheck, tone: 'text-done' },
  failed: { icon: CircleX, tone: 'text-failed' },
  interrupted: { icon: CirclePause, tone: 'text-interrupted' },
  cancelled: { icon: Ban, tone: 'text-cancelled' },
}

/** Where a task stands, as an icon; named where no word stands beside it. */
export function StatusIcon({
  status,
  named = false,
  size = 14,
}: {
  status: TaskStatus
  named?: boolean
  size?: number
}) {
  const { icon: Icon, tone } = LOOK[status]
  const name = named ? { role: 'img', 'aria-label': status } : { 'aria-hidden': true }
  return <Icon size={size} className={classes('shrink-0', tone)} {...name} />
}

/** Where a task stands, as an icon and a word; bare where the icon stands elsewhere in its row. */
export function StatusWord({
  status,
  strong = false,
  bare = false,
}: {
  status: TaskStatus
  strong?: boolean
  bare?: boolean
}) {
  return (
    <span
      className={classes(
        'inline-flex items-center gap-1.5 whitespace-nowrap',
        LOOK[status].tone,
        strong && 'font-semibold',
      )}
    >
      {!bare && <StatusIcon status={status} />}
      {status}
    </span>
  )
}

/** The order in which statuses are told: what wants something from a person first. */
export const STATUSES: readonly TaskStatus[] = [
  'waiting',
  'running',
  'starting',
  'interrupted',
  'failed',
  'pending',
  'completed',
  'cancelled',
]

/** Whether an agent works, or is about to. */
export function isLive(status: TaskStatus): boolean {
  return status === 'starting' || status === 'running' || status === 'waiting'
}
