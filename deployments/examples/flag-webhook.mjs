// A receiver for Serin's flag webhook: node flag-webhook.mjs whsec_… [port]
// It keeps the states in memory; put them beside the flags of your system, and move those in `move`.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const [secret, port = '8080'] = process.argv.slice(2);
const states = new Map(); // by environment and flag; a flag with '' is there, and Serin never wrote it

async function move(environment, flag, variant, base, share) {
  console.log(`${environment} ${flag}: ${variant} for ${share} of 10000, ${base} for the others`);
}

function genuine(headers, body) {
  const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signatures = '' } = headers;
  if (!(Math.abs(Date.now() / 1000 - at) < 300)) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const want = createHmac('sha256', key).update(`${id}.${at}.`).update(body).digest();
  return signatures.split(' ').some((s) => {
    const got = Buffer.from(s.replace(/^v1,/, ''), 'base64');
    return got.length === want.length && timingSafeEqual(got, want);
  });
}

async function answer(headers, body) {
  if (!genuine(headers, body)) return [401, 'the signature is wrong'];
  const m = JSON.parse(body);
  const key = `${m.environment}/${m.flag}`;
  if (m.type === 'flag.get') return states.has(key) ? [200, JSON.stringify({ state: states.get(key) })] : [404, 'no such flag'];
  if ((states.get(key) ?? '') !== m.previous) return [409, 'changed meanwhile'];
  await move(m.environment, m.flag, m.variant, m.base, m.share);
  states.set(key, m.state); // after the move: a state that is kept says that it was done
  return [204, ''];
}

let turn = Promise.resolve(); // one request at a time: two must not find the same state

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  turn = turn.then(() => answer(request.headers, Buffer.concat(chunks))).catch((e) => [500, String(e)]); // Serin tries 500 again
  const [status, text] = await turn;
  response.writeHead(status).end(text);
}).listen(Number(port), '127.0.0.1', function () { console.log(`listening on ${this.address().port}`); });
