// OpenFeature's flagd provider for Node, in-process, as the end-to-end tests ask it. Lines come in on stdin:
// `wait FLAG KEY VALUE` is answered when the flag's metadata has that value, `count FLAG USERS` with a 1 or a 0 for each user,
// `variant FLAG CONTEXT` with the variant of the user whom the context, JSON, describes.
// usage: node flagd-client.mjs file PATH | sync PORT
import { createInterface } from 'node:readline';
import { OpenFeature } from '@openfeature/server-sdk';
import { FlagdProvider } from '@openfeature/flagd-provider';

const [mode, where] = process.argv.slice(2);
const options = mode === 'file'
  ? { resolverType: 'in-process', offlineFlagSourcePath: where }
  : { resolverType: 'in-process', host: '127.0.0.1', port: Number(where), tls: false, selector: 'flagSetId=production' };
await OpenFeature.setProviderAndWait(new FlagdProvider(options));
const client = OpenFeature.getClient();
const ask = (flag, n) => client.getBooleanDetails(flag, true, { targetingKey: `serin-user-${n}` });

const commands = {
  async wait(flag, key, value) {
    for (;;) {
      const d = await ask(flag, 0);
      if (String(d.flagMetadata[key]) === value) return 'seen';
      await new Promise((r) => setTimeout(r, 1));
    }
  },
  async count(flag, users) {
    let bits = '';
    for (let n = 0; n < Number(users); n++) {
      const d = await ask(flag, n);
      if (d.errorCode || d.variant !== (d.value ? 'on' : 'off')) throw new Error(JSON.stringify(d));
      bits += d.value ? '1' : '0';
    }
    return bits;
  },
  async variant(flag, ...context) {
    const d = await client.getBooleanDetails(flag, true, JSON.parse(context.join(' ')));
    return d.errorCode ? JSON.stringify(d) : d.variant;
  },
};

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...args] = line.split(' ');
  console.log(await commands[command](...args));
}
await OpenFeature.close();
