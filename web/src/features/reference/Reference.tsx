import { useMemo, useState } from 'react'
import { counted } from '~/lib/amount'
import { Empty } from '~/ui/Empty'
import { byTag, type Description, fitting, type Route } from './description'
import { Inline } from './Inline'
import { OperationView } from './OperationView'
import { ShapeView } from './ShapeView'

/** The whole API: what it is, its operations by what they are about, and the shapes of what they take and answer. */
export function Reference({ description }: { description: Description }) {
  const [words, setWords] = useState('')
  const tags = useMemo(() => byTag(description), [description])
  const shown = useMemo(() => fitting(tags, words), [tags, words])
  const shapes = Object.entries(description.components?.schemas ?? {}).sort(([a], [b]) => a.localeCompare(b))
  return (
    <div className="h-full overflow-y-auto md:grid md:grid-cols-[264px_minmax(0,1fr)] md:overflow-hidden">
      <Contents tags={shown} words={words} onWords={setWords} />
      <div className="px-4 pt-3 pb-16 md:overflow-y-auto md:px-6">
        <h1 className="font-semibold text-20">API reference</h1>
        <p className="text-ink-3">
          {description.info.title} {description.info.version},{' '}
          {counted(
            tags.reduce((sum, [, routes]) => sum + routes.length, 0),
            'operation',
          )}
          . As JSON:{' '}
          <a href="/api/v1/openapi.json" className="underline decoration-line-strong underline-offset-3">
            /api/v1/openapi.json
          </a>
        </p>
        {description.info.description && (
          <div className="prose mt-2">
            {description.info.description.split('\n\n').map(part => (
              <p key={part}>
                <Inline text={part} />
              </p>
            ))}
          </div>
        )}
        {shown.length === 0 && <Empty title="No operation fits" />}
        {shown.map(([tag, routes]) => (
          <section key={tag} aria-labelledby={`tag-${tag}`} className="mt-6">
            <h2 id={`tag-${tag}`} className="scroll-mt-3 border-line-strong border-b pb-1 font-semibold text-15">
              {tag}
            </h2>
            {routes.map(route => (
              <OperationView key={route.id} description={description} route={route} />
            ))}
          </section>
        ))}
        <section aria-labelledby="shapes" className="mt-6">
          <h2 id="shapes" className="scroll-mt-3 border-line-strong border-b pb-1 font-semibold text-15">
            Shapes
          </h2>
          {shapes.map(([name, schema]) => (
            <ShapeView key={name} name={name} schema={schema} />
          ))}
        </section>
      </div>
    </div>
  )
}

interface ContentsProps {
  tags: [string, Route[]][]
  words: string
  onWords: (words: string) => void
}

function Contents({ tags, words, onWords }: ContentsProps) {
  return (
    <nav
      aria-label="Operations"
      className="border-line border-b bg-surface px-3 py-3 md:overflow-y-auto md:border-r md:border-b-0"
    >
      <input
        type="search"
        aria-label="Filter operations"
        placeholder="Filter operations"
        value={words}
        onChange={event => onWords(event.target.value)}
        className="h-7 w-full rounded-4 border border-edge bg-surface px-2"
      />
      <div className="hidden md:block">
        {tags.map(([tag, routes]) => (
          <section key={tag} className="mt-3">
            <h2 className="px-1 font-semibold">{tag}</h2>
            <ul>
              {routes.map(({ id, method, path }) => (
                <li key={id}>
                  <a
                    href={`#${id}`}
                    className="flex h-6 items-center gap-2 rounded-2 px-1 hover:bg-hover"
                    title={`${method} ${path}`}
                  >
                    <Method method={method} />
                    <span className="mono truncate text-ink-2">{path.replace('/api/v1', '')}</span>
                  </a>
                </li>
              ))}
            </ul>
          </section>
        ))}
        <a href="#shapes" className="mt-3 block px-1 font-semibold">
          Shapes
        </a>
      </div>
    </nav>
  )
}

/** The method of an operation, as wide as the longest. */
export function Method({ method }: { method: string }) {
  return <span className="mono w-12 shrink-0 font-semibold text-[11px] text-ink-3">{method}</span>
}
