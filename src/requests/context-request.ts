import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import { EdgeError } from '../../protocol/errors.ts'
import type { ContextRequest } from '../command-line/context-commands.ts'
import { askSeen } from '../commands/ask.ts'
import { runContext } from '../commands/context.ts'
import { runContextAdd } from '../commands/context-add.ts'
import { askForContext, type ContextDraft } from '../commands/context-questions.ts'
import type { CommandIo } from '../commands/output.ts'
import { mergeClouds } from '../config/cloud-address.ts'
import { mustNotBeExposed } from '../config/context.ts'
import { consolePaths } from '../config/paths.ts'
import { mergeNodes, parseNodeFlag } from '../link/directory.ts'
import { detectCapabilities } from '../ui/terminal/capabilities.ts'

/** Do what was asked about contexts; what tests of a new one say, and `fine` for the rest. @throws EdgeError */
export async function runContextRequest(
  request: ContextRequest,
  { version, hasScreen }: { readonly version: string; readonly hasScreen: boolean },
  io: CommandIo,
): Promise<'fine' | 'faulty' | 'untested'> {
  const { configFile: usual, identitiesDir } = consolePaths(process.env, homedir())
  const configFile = request.config ?? usual
  const identityDir = (context: string): string => join(identitiesDir, context)
  if (request.kind === 'context') {
    runContext(request.task, { configFile, identityDir, nowMs: Date.now() }, io)
    return 'fine'
  }
  const { stdin: input, stderr: output } = process
  const user = userInfo().username
  const ask = (question: string): Promise<string> => askSeen(question, { input, output, signal: io.signal })
  const said: ContextDraft = { wish: request.wish, node: request.node, cloud: request.cloud }
  const { wish, node, cloud } = hasScreen ? await askForContext(said, { ask, user }) : said
  if (wish.name === null) {
    throw new EdgeError('USAGE', {
      message: 'a context needs a name',
      next: ['write edgedeck context add NAME', 'see edgedeck context add --help'],
    })
  }
  const nodes = mergeNodes(node.map(parseNodeFlag), [])
  mustNotBeExposed(nodes, wish)
  const addition = { name: wish.name, wish, nodes, clouds: mergeClouds(cloud, []), timeoutMs: request.timeoutMs }
  const place = {
    configFile,
    identityDir,
    version,
    login: { user, env: process.env, ask: hasScreen ? ask : null },
    columns: process.stdout.columns ?? 80,
    ascii: detectCapabilities().ascii,
    now: Date.now,
  }
  return runContextAdd(addition, place, io)
}
