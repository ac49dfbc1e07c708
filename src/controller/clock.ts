/** How far behind what was signed here before the clock may be, ms: machines step their clocks back a little. */
const TOLERANCE_MS = 60_000

/**
 * Why a controller's clock cannot be believed; null when it can. It never was earlier than what was signed or written here
 * before, and a wrong one would become the clock of every node (requirement S1).
 * @param nowMs Unix ms
 * @param newestMs the latest time that was signed or written here, Unix ms
 * @param issuingEndsMs end of the issuing certificate, Unix ms
 */
export function clockFault(nowMs: number, newestMs: number, issuingEndsMs: number): string | null {
  if (nowMs < newestMs - TOLERANCE_MS) {
    return `the clock says ${iso(nowMs)}, and something was signed here at ${iso(newestMs)}`
  }
  return nowMs > issuingEndsMs
    ? `the clock says ${iso(nowMs)}, and the issuing certificate ended at ${iso(issuingEndsMs)}`
    : null
}

function iso(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
