import { showKey } from '../actions/keymap.ts'
import { loadKeymap } from '../actions/keymap-file.ts'
import { ACTION_IDS, actionOf } from '../actions/table.ts'
import { type CommandIo, type OutputFormat, printJson, printTable } from './output.ts'

/** What `edgedeck keys` was asked. */
export interface KeysRequest {
  readonly format: OutputFormat
  readonly defaultFile: string
  readonly userFile: string | null
}

/** Print every action with its keys in force. Resolves with whether the user's key map could be used whole. */
export function runKeys(request: KeysRequest, io: CommandIo): boolean {
  const { keymap, problems } = loadKeymap(request)
  for (const problem of problems) io.stderr.write(`edgedeck: ${problem}\n`)
  const rows = ACTION_IDS.map((id) => {
    const { title, description, contexts, role, danger } = actionOf(id)
    return { action: id, keys: keymap.keysOf(id).map(showKey), where: contexts, role, danger, title, description }
  })
  if (request.format === 'table') {
    const columns = [
      { title: 'KEYS', text: (row: (typeof rows)[number]) => row.keys.join(' ') },
      { title: 'ACTION', text: (row: (typeof rows)[number]) => row.action },
      { title: 'WHERE', text: (row: (typeof rows)[number]) => row.where.join(', ') },
      { title: 'WHAT IT DOES', text: (row: (typeof rows)[number]) => row.description },
    ]
    io.stdout.write(printTable(columns, rows))
  } else {
    io.stdout.write(printJson(rows, request.format))
  }
  return problems.length === 0
}
