/**
 * Calls `beat` at once when asked, then at most once every `ms` however often it is asked. A beat that takes longer, as one
 * that fetches, is never overtaken by the next.
 */
export function pulse(ms: number, beat: () => void | Promise<void>): { ask: () => void; stop: () => void } {
  let asked = false
  let resting = false
  let timer: ReturnType<typeof setTimeout> | undefined
  async function run() {
    resting = true
    asked = false
    const rested = new Promise<void>(resolve => {
      timer = setTimeout(resolve, ms)
    })
    try {
      await beat()
    } finally {
      await rested
      resting = false
      if (asked) void run()
    }
  }
  return {
    ask() {
      asked = true
      if (!resting) void run()
    },
    stop() {
      asked = false
      clearTimeout(timer)
      resting = true
    },
  }
}
