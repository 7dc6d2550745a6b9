import type { ReactNode } from 'react'
import { type Description, type Parameter, type Route, type Schema, typeOf, who } from './description'
import { Inline } from './Inline'
import { Method } from './Reference'
import { Field, Fields, TypeLine } from './ShapeView'

/** One operation: who may call it, what it takes, what it answers. */
export function OperationView({
  description,
  route: { id, method, path, operation },
}: {
  description: Description
  route: Route
}) {
  const inside = (where: string) => operation.parameters?.filter(each => each.in === where) ?? []
  const body = operation.requestBody?.content
  return (
    <article aria-labelledby={id} className="border-line border-b py-4">
      <h3 id={id} className="flex scroll-mt-3 flex-wrap items-baseline gap-x-1 target:text-accent">
        <Method method={method} />
        <span className="mono wrap-anywhere font-semibold">{path}</span>
      </h3>
      {[operation.summary, operation.description].filter(Boolean).map(text => (
        <p key={text} className="max-w-[84ch]">
          <Inline text={text ?? ''} />
        </p>
      ))}
      <p className="max-w-[84ch] text-ink-2">
        <span className="text-ink-3">Who may call:</span> <Inline text={who(description, operation)} />
      </p>
      <Parameters title="In the path" parameters={inside('path')} />
      <Parameters title="In the query" parameters={inside('query')} />
      <Parameters title="In the head" parameters={inside('header')} />
      {body && (
        <Part title={`Body${operation.requestBody?.required === false ? ', optional' : ''}`}>
          {Object.entries(body).map(([type, { schema }]) => (
            <Content key={type} type={type} schema={schema} />
          ))}
        </Part>
      )}
      <Part title="Answers">
        <dl>
          {Object.entries(operation.responses ?? {}).map(([status, answer]) => (
            <div key={status} className="grid grid-cols-[48px_minmax(0,1fr)] py-0.5">
              <dt className="mono font-semibold">{status}</dt>
              <dd className="min-w-0">
                {answer.description && (
                  <>
                    <Inline text={answer.description} />{' '}
                  </>
                )}
                {Object.entries(answer.content ?? {}).map(([type, { schema }]) => (
                  <Content key={type} type={type} schema={schema} />
                ))}
              </dd>
            </div>
          ))}
        </dl>
      </Part>
    </article>
  )
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="mt-2">
      <h4 className="font-semibold text-ink-2">{title}</h4>
      {children}
    </div>
  )
}

function Parameters({ title, parameters }: { title: string; parameters: Parameter[] }) {
  if (parameters.length === 0) return null
  return (
    <Part title={title}>
      <dl>
        {parameters.map(({ name, required, schema, description }) => (
          <Field key={name} name={name} type={typeOf(schema)} required={required ?? false} says={description} />
        ))}
      </dl>
    </Part>
  )
}

function Content({ type, schema }: { type: string; schema?: Schema }) {
  return (
    <>
      {schema?.properties ? <Fields schema={schema} /> : <TypeLine pieces={typeOf(schema)} />}
      {type !== 'application/json' && <code className="text-ink-3"> {type}</code>}
    </>
  )
}
