import { fileURLToPath } from 'node:url'
import { findBreaches, readImports } from './import-graph.ts'

/** Fails when an import breaks the rules of import-rules.ts, or when there is nothing to check. */
const root = fileURLToPath(new URL('..', import.meta.url))
const imports = readImports(root, [
  'protocol',
  'settings',
  'packages',
  'identity',
  'tunnel',
  'regex',
  'durable',
  'edge-daemon',
  'src',
])
const breaches = findBreaches(imports)
for (const breach of breaches) console.error(breach)
if (imports.length < 20) console.error(`only ${imports.length} imports were found: the check itself is broken`)
if (breaches.length > 0 || imports.length < 20) process.exitCode = 1
else console.log(`imports: ${imports.length} checked, all run the right way`)
