import { JournalFile } from '../../src/audit/journal-file.ts'

// Appends to the journal named first as many records as are named second, as one console of several.
const [path = '', count = '0'] = process.argv.slice(2)
const file = new JournalFile(path, 'mia')
for (let n = 0; n < Number(count); n += 1) {
  await file.append({ timestamp: Date.now(), phase: 'intent', verb: `v${n}`, node: null })
}
