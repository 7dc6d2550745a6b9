// Times as they are read at a glance: how long ago, how long it took, and when exactly.

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** How long, in the two units that matter: `48 s`, `6 min`, `1 h 12 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < MINUTE)
    return `${ms < 10 * SECOND && ms % SECOND !== 0 ? (ms / SECOND).toFixed(1) : Math.floor(ms / SECOND)} s`
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`
  if (ms < DAY) return two(Math.floor(ms / HOUR), 'h', Math.floor((ms % HOUR) / MINUTE), 'min')
  return two(Math.floor(ms / DAY), 'd', Math.floor((ms % DAY) / HOUR), 'h')
}

function two(a: number, unit: string, b: number, smaller: string): string {
  return b === 0 ? `${a} ${unit}` : `${a} ${unit} ${b} ${smaller}`
}

/** When, as seen from `now`: `now`, `6 min`, `3 h`, `yesterday`, `18 Nov`, `18 Nov 2025`. */
export function ago(then: string, now: number): string {
  const at = new Date(then)
  const ms = now - at.getTime()
  if (ms < MINUTE) return 'now'
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`
  const today = new Date(now)
  const days = Math.round((dayOf(today) - dayOf(at)) / DAY)
  if (ms < 6 * HOUR || days === 0) return `${Math.floor(ms / HOUR)} h`
  if (days === 1) return 'yesterday'
  return date(at, today)
}

function dayOf(at: Date): number {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime()
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

function date(at: Date, today: Date): string {
  const year = at.getFullYear() === today.getFullYear() ? '' : ` ${at.getFullYear()}`
  return `${at.getDate()} ${MONTHS[at.getMonth()]}${year}`
}

/** The time of day, in the reader's zone: `14:08:22`. */
export function clock(then: string | number): string {
  const at = new Date(then)
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(n => String(n).padStart(2, '0')).join(':')
}

/** The moment in full, for a tooltip: `20 Nov 2026, 14:08:22`. */
export function moment(then: string): string {
  const at = new Date(then)
  return `${at.getDate()} ${MONTHS[at.getMonth()]} ${at.getFullYear()}, ${clock(then)}`
}
