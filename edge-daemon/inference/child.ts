/**
 * Entry of a model child: loads one model, decodes and classifies the pictures that come over descriptor 3, and goes
 * when its parent does. A process of its own, since a run blocks its thread and memory of a model never comes back.
 */
import { Socket } from 'node:net'
import { messageOf } from '../../protocol/errors.ts'
import { BatchRunner } from './batch-runner.ts'
import { PictureDecoder } from './decode/picture-decoder.ts'
import { FrameReader, writeFrame } from './framing.ts'
import { encodeJson, type FaultMessage, KIND, type StartFailure, type StartMessage } from './messages.ts'
import { OnnxModel } from './onnx-model.ts'
import { PictureIntake } from './picture-intake.ts'
import { selfTest, warmUp } from './self-test.ts'

const PARENT_FD = 3
const MAX_PICTURE_BYTES = 128 * 1024 * 1024

function main(): void {
  const parent = new Socket({ fd: PARENT_FD, readable: true, writable: true })
  // A signal to the whole group (ctrl-c in a terminal) is for the parent, which still has answers to finish.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => {})
  process.on('SIGHUP', () => {})
  const leave = (): never => process.exit(0)
  parent.on('end', leave).on('close', leave).on('error', leave)

  let intake: PictureIntake | null = null
  let runner: BatchRunner | null = null
  const reader = new FrameReader(MAX_PICTURE_BYTES, (kind, id, payload) => {
    if (kind === KIND.infer) {
      intake?.take(id, payload)
    } else if (kind === KIND.fault) {
      runner?.setSlowMs((JSON.parse(payload.toString()) as FaultMessage).slowMs)
    } else if (kind === KIND.start) {
      void start(JSON.parse(payload.toString()) as StartMessage)
    }
  })
  parent.on('data', (chunk: Buffer) => reader.push(chunk))

  async function start(message: StartMessage): Promise<void> {
    try {
      const model = await OnnxModel.load(message.model, message.batchMax)
      const [, , height, width] = message.model.input.shape
      const { divideBy } = message.model.preprocessing
      const decoder = new PictureDecoder({ to: { width, height, divideBy }, pixelLimit: message.pixelLimit })
      const run = (pictures: readonly Float32Array[]) => model.run(pictures)
      await selfTest(message.model, { decoder, run, batchMax: message.batchMax })
      await warmUp(message.model, { run, batchMax: message.batchMax })
      runner = new BatchRunner({
        batchMax: message.batchMax,
        slowMs: message.slowMs,
        run,
        answer: (answers) => writeFrame(parent, KIND.answers, 0, encodeJson(answers)),
      })
      intake = new PictureIntake(decoder, runner)
      writeFrame(parent, KIND.ready, 0, new Uint8Array())
    } catch (error) {
      const failure: StartFailure = { msg: messageOf(error) }
      writeFrame(parent, KIND.startFailed, 0, encodeJson(failure))
      parent.end()
    }
  }
}

main()
