import { readFileSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { startHostileNodes } from './hostile-node.ts'

/** A process of hostile nodes: prints their addresses as one line of JSON. `KEY CERT` are PEM files, for TLS. */
// What is measured is what they do to a console over the wire, not that they take the processor from it.
setPriority(constants.priority.PRIORITY_LOW)
const [key, cert] = process.argv.slice(2)
const pem = (file: string): string => readFileSync(file, 'utf8')
const nodes = await startHostileNodes(
  key === undefined || cert === undefined ? undefined : { key: pem(key), cert: pem(cert) },
)
process.stdout.write(`${JSON.stringify(nodes.urls)}\n`)
process.on('SIGTERM', () => void nodes.stop())
// Whoever started it is gone.
process.stdin.on('end', () => process.exit(0)).resume()
