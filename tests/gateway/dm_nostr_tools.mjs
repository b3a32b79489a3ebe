// A person's client on nostr-tools, told what to do by lines of JSON; NOSTR_TOOLS has its modules.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const require = createRequire(`${process.env.NOSTR_TOOLS}/node_modules/`)
const pure = require('nostr-tools/pure')
const nip17 = require('nostr-tools/nip17')
const nip44 = require('nostr-tools/nip44')
const { Relay, useWebSocketImplementation } = require('nostr-tools/relay')
useWebSocketImplementation(require('ws'))

const [url, agent] = process.argv.slice(2)
const secret = pure.generateSecretKey()
const me = pure.getPublicKey(secret)
const relay = await Relay.connect(url)
relay.onauth = event => Promise.resolve(pure.finalizeEvent(event, secret))
const say = value => console.log(JSON.stringify(value))

const listen = () => relay.subscribe([{ kinds: [1059], '#p': [me] }], {
  onclose(reason) { // a relay that shows wraps to their reader alone asks who it is first
    if (reason.startsWith('auth-required')) relay.auth(relay.onauth).then(listen)
  },
  onevent(event) {
    const rumour = nip17.unwrapEvent(event, secret)
    say({
      heard: rumour.content, from: rumour.pubkey, kind: rumour.kind, at: rumour.created_at,
      to: rumour.tags, id: rumour.id === pure.getEventHash(rumour), wrap: pure.verifyEvent(event),
    })
  },
})
listen()

const acts = {
  say: text => relay.publish(nip17.wrapEvent(secret, { publicKey: agent }, text)),
  reply: ({ text, to }) =>
    relay.publish(nip17.wrapEvent(secret, { publicKey: agent }, text, 'a title', { eventId: to })),
  inbox: () => new Promise(resolve => {
    const events = []
    const asked = relay.subscribe([{ kinds: [10050], authors: [agent] }], {
      onevent: event => events.push(event),
      oneose: () => {
        asked.close()
        const good = events.filter(pure.verifyEvent)
        resolve(say({ inbox: good.map(event => event.tags) }))
      },
    })
  }),
  encrypt: ({ secret: key, to, text }) => {
    const conversation = nip44.getConversationKey(Buffer.from(key, 'hex'), to)
    say({ encrypted: nip44.encrypt(text, conversation) })
  },
  decrypt: ({ secret: key, from, payload }) => {
    const conversation = nip44.getConversationKey(Buffer.from(key, 'hex'), from)
    say({ decrypted: nip44.decrypt(payload, conversation) })
  },
}

say({ ready: me })
for await (const line of createInterface({ input: process.stdin })) {
  const [[name, value]] = Object.entries(JSON.parse(line))
  await acts[name](value)
}
relay.close()
process.exit(0)
