import type { ActionHandlers } from '../../actions/run.ts'
import type { Console } from '../console.ts'

/** Opens a shell on the node that the operator looks at: in logs, on that of the line under the cursor. */
export function shellHandlers(console: Console): ActionHandlers {
  return {
    'shell.open': () => {
      const key = console.screen().name === 'logs' ? (console.logs.current()?.key ?? null) : console.currentKey()
      if (key === null) console.toast('there is no node here to open a shell on')
      else void console.shell.open(key)
    },
  }
}
