/** The demo's HTTP receiver as a process that can be killed. Arguments: its folder and its port, 0 for a free one; prints the port. */
import { HttpCloud } from '../../src/demo/http-cloud.ts'

const [dir = '', port = '0'] = process.argv.slice(2)
process.stdout.write(`${await new HttpCloud(dir).start(Number(port))}\n`)
