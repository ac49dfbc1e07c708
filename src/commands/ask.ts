import { createInterface } from 'node:readline/promises'
import type { ReadStream } from 'node:tty'
import { EdgeError } from '../../protocol/errors.ts'

const ENTER = ['\r', '\n']
const BACKSPACE = ['\x7f', '\b']
const CLEAR = '\x15'
const CANCEL = '\x03'
const END = '\x04'

/**
 * Ask on a terminal without showing what is typed. The terminal is as before whenever this settles.
 * @throws EdgeError `USAGE` when the answer is called off
 */
export async function askHidden(
  question: string,
  {
    input,
    output,
    signal,
  }: { readonly input: ReadStream; readonly output: NodeJS.WritableStream; readonly signal: AbortSignal },
): Promise<string> {
  output.write(question)
  input.setRawMode(true)
  input.setEncoding('utf8').resume()
  try {
    return await new Promise((resolve, reject) => {
      let typed: string[] = []
      const callOff = (): void => reject(new EdgeError('USAGE', { message: 'called off' }))
      signal.addEventListener('abort', callOff, { once: true })
      input.once('end', callOff)
      input.on('data', (text: string) => {
        for (const char of text) {
          if (ENTER.includes(char)) return resolve(typed.join(''))
          if (char === CANCEL || (char === END && typed.length === 0)) return callOff()
          if (BACKSPACE.includes(char)) typed.pop()
          else if (char === CLEAR) typed = []
          else if (char >= ' ') typed.push(char)
        }
      })
    })
  } finally {
    input.removeAllListeners('data').removeAllListeners('end')
    input.setRawMode(false)
    input.pause()
    output.write('\n')
  }
}

/** Ask on a terminal, with what is typed shown. @throws Error when the answer is called off */
export async function askSeen(
  question: string,
  {
    input,
    output,
    signal,
  }: { readonly input: NodeJS.ReadableStream; readonly output: NodeJS.WritableStream; readonly signal: AbortSignal },
): Promise<string> {
  const lines = createInterface({ input, output })
  try {
    return await lines.question(question, { signal })
  } finally {
    lines.close()
  }
}
