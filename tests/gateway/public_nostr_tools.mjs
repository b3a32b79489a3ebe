// Reads with nostr-tools what an instance shows to anybody; prints it as lines of JSON.
import { createRequire } from 'node:module'

const require = createRequire(`${process.env.NOSTR_TOOLS}/node_modules/`)
const pure = require('nostr-tools/pure')
const { SimplePool, useWebSocketImplementation } = require('nostr-tools/pool')
useWebSocketImplementation(require('ws'))

const [url, author, kinds] = process.argv.slice(2)
const pool = new SimplePool()
const events = await pool.querySync([url], { kinds: kinds.split(',').map(Number), authors: [author] })
for (const event of events) {
  const tags = Object.fromEntries(event.tags)
  const all = event.tags
  console.log(JSON.stringify({
    kind: event.kind, good: pure.verifyEvent(event), tags, all, content: event.content,
    card: event.kind === 14747 ? JSON.parse(event.content) : null,
    over: Number(tags.expiration || Infinity) * 1000 < Date.now(),
  }))
}
pool.close([url])
process.exit(0)
