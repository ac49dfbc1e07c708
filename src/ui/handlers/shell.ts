import { messageOf } from '../../../protocol/errors.ts'
import type { ActionHandlers } from '../../actions/run.ts'
import { mayRunOn } from '../../shell/fan-out-rights.ts'
import type { Console } from '../console.ts'

/** Opens a shell, or the log of a container, on the node that the operator looks at: in logs, on that of the line under the cursor. */
export function shellHandlers(console: Console): ActionHandlers {
  const lookedAt = (): string | null => {
    if (console.screen().name !== 'logs') return console.currentKey()
    return console.logs.container()?.key ?? console.logs.current()?.key ?? null
  }
  return {
    'logs.container': () => {
      const key = lookedAt()
      if (key === null) console.toast('there is no node here whose containers could be looked at')
      else void console.shell.openLog(key)
    },
    'shell.open': () => {
      const key = lookedAt()
      if (key === null) console.toast('there is no node here to open a shell on')
      else {
        const refusal = refusalFor(console, key)
        if (refusal !== null) console.toast(refusal)
        else void console.shell.open(key)
      }
    },
  }
}

/** Why the operator may have no shell there; null when they may. Whoever has rights for some sites must know the site. */
function refusalFor(console: Console, key: string): string | null {
  const { exec, standing } = console.parts
  const site = console.view().nodes.find((node) => node.key === key)?.site ?? exec?.siteOf(key) ?? null
  try {
    mayRunOn([{ key, site }], standing().rights)
    return null
  } catch (error) {
    return messageOf(error)
  }
}
