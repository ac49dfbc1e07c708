import { Camera } from './camera.ts'
import { type CameraEvent, CameraLog } from './camera-log.ts'
import type { CameraPointed, CameraReport, CameraRequest } from './cameras.ts'
import { FramePainter, loadDigits } from './digit-frames.ts'
import { FramePool } from './frame-pool.ts'

/**
 * The process of the demo's cameras: painting and posting pictures must not hold up the console. It obeys messages
 * from its parent and ends when the parent does. Its argument is the folder of digits.
 */
const REPORT_EVERY_MS = 1000

const pool = new FramePool(new FramePainter(loadDigits(process.argv[2] ?? ''), Math.random), Math.random)
const cameras = new Map<string, Camera>()
const broken = new Set<string>()
const logs = new Map<string, CameraLog>()

/** The log at a path: one, so that what it counts goes on when a camera is pointed elsewhere. */
function logOf(file: string): CameraLog {
  const log = logs.get(file) ?? new CameraLog({ file, now: Date.now })
  logs.set(file, log)
  return log
}

function point({ name, url, framesPerSec, logFile }: CameraPointed): void {
  const known = cameras.get(name)
  if (known?.url === url) {
    known.setRate(framesPerSec)
    return
  }
  known?.stop()
  const nextFrame = () => (broken.has(name) ? pool.nextUnreadable() : pool.next())
  const log = logOf(logFile)
  log.pointed(url)
  const tell = (event: CameraEvent) => log.note(event)
  const camera = new Camera({ url, nextFrame, framesPerSec, random: Math.random, tell })
  cameras.set(name, camera)
  camera.start()
}

function obey(request: CameraRequest): void {
  switch (request.kind) {
    case 'point':
      point(request)
      break
    case 'rate':
      for (const camera of cameras.values()) camera.setRate(request.framesPerSec)
      break
    case 'garbage':
      if (request.on) broken.add(request.name)
      else broken.delete(request.name)
      break
  }
}

const reporting = setInterval(() => {
  const counts = Object.fromEntries([...cameras].map(([name, camera]) => [name, camera.counts()]))
  process.send?.({ kind: 'counts', counts } satisfies CameraReport)
}, REPORT_EVERY_MS)

process.on('message', (message) => obey(message as CameraRequest))
process.on('disconnect', () => {
  clearInterval(reporting)
  pool.stop()
  for (const camera of cameras.values()) camera.stop()
})
// The terminal's Ctrl-C reaches every process of the group; the parent decides when this one ends.
process.on('SIGINT', () => undefined)
pool.start()
