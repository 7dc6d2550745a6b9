import { classes } from './classes'

const WIDTHS = ['w-3/5', 'w-2/5', 'w-1/2', 'w-1/3', 'w-3/4']

/** Rows that are being read, as high as they will be. What is there within a moment shows none. */
export function Skeleton({ rows, height = 'h-7' }: { rows: number; height?: string }) {
  return (
    <div role="status" aria-label="Loading" className="after-a-moment">
      {Array.from({ length: rows }, (_, n) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
        <div key={n} className={classes('flex items-center border-line border-b px-2', height)}>
          <div className={classes('h-2.5 rounded-2 bg-selected', WIDTHS[n % WIDTHS.length])} />
        </div>
      ))}
    </div>
  )
}
