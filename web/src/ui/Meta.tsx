import { Children, type ReactNode } from 'react'

/** Facts in one line, with lines between; where they need two, none stands at an end. */
export function Meta({ children }: { children: ReactNode }) {
  return (
    <div className="overflow-hidden text-ink-2">
      <div className="-ml-[21px] flex flex-wrap items-center gap-y-0.5">
        {Children.toArray(children).map((child, n) => (
          <span
            // biome-ignore lint/suspicious/noArrayIndexKey: their order never changes
            key={n}
            className="flex min-w-0 items-center before:mx-2.5 before:h-2.5 before:shrink-0 before:border-line-strong before:border-l"
          >
            {child}
          </span>
        ))}
      </div>
    </div>
  )
}
