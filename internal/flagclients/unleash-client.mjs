// The client of Unleash for Node, as the end-to-end tests ask it: `count FLAG USERS` answers with a 1 or a 0 for each user.
// usage: node unleash-client.mjs URL TOKEN REFRESH_MS
import { createInterface } from 'node:readline';
import { startUnleash } from 'unleash-client';

const [url, token, refresh] = process.argv.slice(2);
const client = await startUnleash({
  url, appName: 'serin-e2e', customHeaders: { Authorization: token }, refreshInterval: Number(refresh),
  disableMetrics: true, storageProvider: { set: async () => {}, get: async () => undefined },
});
client.on('error', (err) => console.error(String(err)));
console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const [, flag, users] = line.split(' ');
  let on = '';
  for (let n = 0; n < Number(users); n++) {
    on += client.isEnabled(flag, { userId: `serin-user-${n}` }, false) ? '1' : '0';
  }
  console.log(on);
}
client.destroy();
