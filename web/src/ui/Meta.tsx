import { Children, Fragment, type ReactNode } from 'react'

/** Facts in one line, with lines between. */
export function Meta({ children }: { children: ReactNode }) {
  return (
    <div className="flex flex-wrap items-center gap-y-0.5 text-ink-2">
      {Children.toArray(children).map((child, n) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: their order never changes
        <Fragment key={n}>
          {n > 0 && <span aria-hidden className="mx-2.5 h-2.5 border-line-strong border-l" />}
          {child}
        </Fragment>
      ))}
    </div>
  )
}
