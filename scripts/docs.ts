import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { generatedDocs } from './generated-docs.ts'

/** Writes the generated pages anew. */
for (const [path, text] of generatedDocs()) writeFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), text)
