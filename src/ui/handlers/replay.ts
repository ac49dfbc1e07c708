import type { ActionHandlers } from '../../actions/run.ts'
import type { Console } from '../console.ts'

/** What keys do to the time that is looked at. */
export function replayHandlers(console: Console): ActionHandlers {
  const { head } = console
  const toAlert = (direction: 1 | -1) => (): void => {
    if (head.toAlert(direction)) return
    console.toast(direction === 1 ? 'no later alert is known' : 'no earlier alert is known')
  }
  return {
    'replay.back10': () => head.step(-10_000),
    'replay.forward10': () => head.step(10_000),
    'replay.back60': () => head.step(-60_000),
    'replay.forward60': () => head.step(60_000),
    'replay.play': () => head.play(),
    'replay.faster': () => head.gear(1),
    'replay.slower': () => head.gear(-1),
    'replay.live': () => head.live(),
    'replay.zoom': () => head.zoom(),
    'replay.earlierAlert': toAlert(-1),
    'replay.laterAlert': toAlert(1),
    'replay.goTo': () => console.parts.store.set({ overlay: { name: 'time', text: '', fault: null } }),
  }
}
