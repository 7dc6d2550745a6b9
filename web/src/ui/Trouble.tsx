import { CircleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { Button } from './Button'

interface Props {
  /** What could not be done. */
  what: string
  /** Why, with what to do. */
  why: string
  /** The request, as the server's log has it. */
  requestId?: string
  onRetry?: () => void
  children?: ReactNode
}

/** An error, where what it is about would stand. */
export function Trouble({ what, why, requestId, onRetry, children }: Props) {
  return (
    <div role="alert" className="flex items-start gap-2.5 border-failed border-l-2 bg-failed-wash px-3 py-2">
      <CircleAlert size={16} aria-hidden className="mt-0.5 shrink-0 text-failed" />
      <div className="min-w-0 flex-1">
        <p className="font-semibold">{what}</p>
        <p className="text-ink-2 wrap-anywhere">{why}</p>
        {requestId && (
          <p className="text-12 text-ink-3">
            Request <code className="select-all">{requestId}</code>
          </p>
        )}
        {children}
      </div>
      {onRetry && (
        <Button small onClick={onRetry}>
          Retry
        </Button>
      )}
    </div>
  )
}
