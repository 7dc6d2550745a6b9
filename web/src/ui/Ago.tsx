import { useNow } from '~/lib/now'
import { ago, moment } from '~/lib/time'

/** How long ago, kept true as time goes on. */
export function Ago({ at }: { at: string }) {
  const words = useNow(now => ago(at, now))
  return (
    <time dateTime={at} title={moment(at)}>
      {words}
    </time>
  )
}
