import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Digit, isHeldOut, PIXELS, readDigits } from './digits.ts'

/**
 * Write the digits where `models/train/train_digits.py` reads them: `train.bin` and `heldout.bin`, a digit being its label,
 * its index as uint32 little endian, and 784 gray bytes.
 */
function main(folder: string | undefined): void {
  if (folder === undefined) {
    console.error('usage: node scripts/train-digits/export-digits.ts FOLDER')
    process.exit(2)
  }
  mkdirSync(folder, { recursive: true })
  const digits = readDigits()
  const heldOut = digits.filter(isHeldOut)
  const training = digits.filter((digit) => !isHeldOut(digit))
  writeFileSync(join(folder, 'train.bin'), pack(training))
  writeFileSync(join(folder, 'heldout.bin'), pack(heldOut))
  console.log(`${training.length} digits to train on and ${heldOut.length} held out in ${folder}`)
}

function pack(digits: readonly Digit[]): Buffer {
  const size = 5 + PIXELS
  const bytes = Buffer.alloc(digits.length * size)
  digits.forEach(({ label, index, pixels }, position) => {
    bytes.writeUInt8(label, position * size)
    bytes.writeUInt32LE(index, position * size + 1)
    bytes.set(pixels, position * size + 5)
  })
  return bytes
}

main(process.argv[2])
