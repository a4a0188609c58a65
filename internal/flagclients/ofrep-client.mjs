// OpenFeature's OFREP clients for Node and for browsers, as the end-to-end tests ask them. Lines come in on stdin:
// `server FLAG USERS` and `web FLAG USERS` are answered with a 1 or a 0 for each user, `missing FLAG` with an error code.
// `watch FLAG USER` follows a flag by the web provider and prints `saw VALUE MILLISECONDS` at each change.
// usage: node --experimental-eventsource ofrep-client.mjs URL TOKEN
import { createInterface } from 'node:readline';
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature as Web, ProviderEvents as WebEvents } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';

const [baseUrl, token] = process.argv.slice(2);
const headers = [['Authorization', `Bearer ${token}`]];
await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl, headers }));
const server = OpenFeature.getClient();

// many asks for all users, some at once.
async function many(users, ask) {
  const bits = new Array(users);
  let next = 0;
  await Promise.all(Array.from({ length: 16 }, async () => {
    for (let n = next++; n < users; n = next++) bits[n] = await ask(`serin-user-${n}`);
  }));
  return bits.join('');
}

const judge = (d) => {
  if (d.errorCode || d.variant !== (d.value ? 'on' : 'off')) throw new Error(JSON.stringify(d));
  return d.value ? '1' : '0';
};

const commands = {
  async server(flag, users) {
    // The default is the opposite of what a kill serves.
    return many(Number(users), async (targetingKey) => judge(await server.getBooleanDetails(flag, true, { targetingKey })));
  },
  async web(flag, users) {
    await Web.setContext('count', { targetingKey: 'serin-user-0' });
    await Web.setProviderAndWait('count', new OFREPWebProvider({ baseUrl, headers, cacheMode: 'disabled', changeDetection: 'none' }));
    const client = Web.getClient('count');
    let bits = '';
    for (let n = 0; n < Number(users); n++) {
      await Web.setContext('count', { targetingKey: `serin-user-${n}` });
      bits += judge(client.getBooleanDetails(flag, true));
    }
    return bits;
  },
  async missing(flag) {
    const d = await server.getBooleanDetails(flag, true, { targetingKey: 'u' });
    return `${d.value} ${d.reason} ${d.errorCode ?? '-'}`;
  },
  async watch(flag, user) {
    await Web.setContext('watch', { targetingKey: user });
    await Web.setProviderAndWait('watch', new OFREPWebProvider({ baseUrl, headers, cacheMode: 'disabled' }));
    const client = Web.getClient('watch');
    client.addHandler(WebEvents.ConfigurationChanged, () => console.log(`saw ${client.getBooleanValue(flag, true)} ${Date.now()}`));
    return `watching ${client.getBooleanValue(flag, true)}`;
  },
};

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...args] = line.split(' ');
  try {
    console.log(await commands[command](...args));
  } catch (err) {
    console.log(`failed ${err}`);
  }
}
await Web.close();
await OpenFeature.close();
