import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkOutput } from '../../base/network.ts';
import { SeededRandomSource } from '../../base/random-source.ts';
import { createResponse } from '../../protocols/sip/message/create-response.ts';
import { parseSipMessage } from '../../protocols/sip/message/parse-sip-message.ts';
import { serializeSipMessage } from '../../protocols/sip/message/serialize-sip-message.ts';
import { SipRequest } from '../../protocols/sip/message/sip-message.ts';
import { SipProxyFunction } from './sip-proxy-function.ts';
import type { SipProxyFunctionEvent } from './sip-proxy-function-options.ts';

const homeAddress = '10.0.0.50';
const local = { address: '10.0.0.1', port: 5060 };
const registrar = { address: '10.0.0.5', port: 5060 };

test('SipProxyFunction: registers the care-of address that packets are forwarded to, then takes the former one back', () => {
  const bench = new Bench();
  bench.forwardTo('192.0.2.7');
  assert.deepEqual(bench.answerAll(200), ['sip:bob@192.0.2.7:5060 expires=600']);
  bench.forwardTo('198.51.100.7');
  assert.deepEqual(bench.answerAll(200), [
    'sip:bob@198.51.100.7:5060 expires=600',
    'sip:bob@192.0.2.7:5060 expires=0',
  ]);
  assert.deepEqual(
    bench.events.map((event) => `${event.type} ${'address' in event ? event.address : ''}`),
    ['contact-registered 192.0.2.7', 'contact-registered 198.51.100.7'],
  );
});

test('SipProxyFunction: the former contact stays while the new one is refused, and is refreshed when it is wanted again', () => {
  const bench = new Bench();
  bench.forwardTo('192.0.2.7');
  bench.answerAll(200);
  bench.forwardTo('198.51.100.7');
  assert.deepEqual(bench.answerAll(503), ['sip:bob@198.51.100.7:5060 expires=600']);
  assert.deepEqual(bench.events.at(-1), {
    type: 'contact-refused',
    homeAddress,
    address: '198.51.100.7',
    statusCode: 503,
  });
  bench.forwardTo('192.0.2.7');
  assert.deepEqual(bench.answerAll(200), ['sip:bob@192.0.2.7:5060 expires=600']);
});

test('SipProxyFunction: without a binding the contact is taken back, and strangers have none', () => {
  const bench = new Bench();
  bench.forwardTo('192.0.2.7');
  bench.answerAll(200);
  bench.forwardTo(undefined);
  assert.deepEqual(bench.answerAll(200), ['sip:bob@192.0.2.7:5060 expires=0']);
  bench.machine.handleInput(
    { kind: 'binding-changed', homeAddress: '10.0.0.66', careOfAddress: '192.0.2.9' },
    0,
  );
  assert.deepEqual(bench.answerAll(200), []);
});

test('SipProxyFunction: behind address translation the contact is the home address, and stays while the node moves among such accesses', () => {
  const bench = new Bench();
  bench.forwardTo('192.0.2.7');
  bench.answerAll(200);
  bench.forwardTo('10.1.0.2', true);
  assert.deepEqual(bench.answerAll(200), [
    `sip:bob@${homeAddress}:5060 expires=600`,
    'sip:bob@192.0.2.7:5060 expires=0',
  ]);
  bench.forwardTo('10.2.0.2', true);
  assert.deepEqual(bench.answerAll(200), []);
  bench.forwardTo(undefined);
  assert.deepEqual(bench.answerAll(200), [`sip:bob@${homeAddress}:5060 expires=0`]);
});

test('SipProxyFunction: refreshes before the registration expires', () => {
  const bench = new Bench();
  bench.forwardTo('192.0.2.7');
  bench.answerAll(200);
  bench.now = 302_000;
  bench.machine.handleTimeout(bench.now);
  assert.deepEqual(bench.answerAll(200), ['sip:bob@192.0.2.7:5060 expires=600']);
});

test('SipProxyFunction: flapping while a REGISTER is under way leaves the last contact and no other', () => {
  const bench = new Bench();
  bench.forwardTo('192.0.2.7');
  bench.forwardTo('198.51.100.7');
  bench.forwardTo('192.0.2.7');
  bench.forwardTo(undefined);
  bench.forwardTo('198.51.100.7');
  const registered = new Set<string>();
  for (const contact of bench.answerAll(200)) {
    const [uri = '', expires] = contact.split(' ');
    if (expires === 'expires=0') registered.delete(uri);
    else registered.add(uri);
  }
  assert.deepEqual([...registered], ['sip:bob@198.51.100.7:5060']);
});

test('SipProxyFunction: flapping, each answer late: never two REGISTERs of one contact at once', () => {
  const bench = new Bench();
  bench.forwardTo('192.0.2.7');
  const first = bench.unanswered();
  bench.forwardTo(undefined);
  bench.forwardTo('192.0.2.7');
  assert.deepEqual(bench.unanswered(), []);
  bench.answer(first, 200);
  assert.deepEqual(bench.answerAll(200), []);
  bench.forwardTo(undefined);
  const leaving = bench.unanswered();
  bench.forwardTo('192.0.2.7');
  assert.deepEqual(bench.unanswered(), []);
  bench.answer(leaving, 200);
  assert.deepEqual(bench.answerAll(200), ['sip:bob@192.0.2.7:5060 expires=600']);
});

test('SipProxyFunction: while the registrar is silent it asks again, less and less often, and then takes back what may be left', () => {
  const bench = new Bench();
  bench.forwardTo('192.0.2.7');
  bench.forwardTo('198.51.100.7');
  const attempts: number[] = [];
  while (bench.now < 1_000_000) {
    const next = bench.machine.pollTimeout();
    assert.ok(next !== undefined);
    bench.now = Math.max(bench.now, next.at);
    bench.machine.handleTimeout(bench.now);
    const fresh = bench.unanswered().filter((request) => !bench.seen.has(request.headers.get('CSeq') ?? ''));
    for (const request of fresh) {
      bench.seen.add(request.headers.get('CSeq') ?? '');
      if (request.headers.get('Contact')?.includes('198.51.100.7')) attempts.push(bench.now);
    }
  }
  const pauses = attempts.slice(1).map((at, index) => at - (attempts[index] ?? 0));
  assert.ok(pauses.length >= 3 && pauses.length <= 6, pauses.join());
  for (const [index, pause] of pauses.entries()) {
    // RFC 5626 §4.5 beside the 32 s that a request waits for its answer.
    const longest = 30_000 * 2 ** (index + 1) + 32_000;
    assert.ok(pause >= longest / 4 && pause <= longest, `pause ${index} of ${pause} ms`);
  }
  bench.now = bench.machine.pollTimeout()?.at ?? 0;
  bench.machine.handleTimeout(bench.now);
  assert.deepEqual(
    new Set(bench.answerAll(200)),
    new Set(['sip:bob@198.51.100.7:5060 expires=600', 'sip:bob@192.0.2.7:5060 expires=0']),
  );
});

class Bench {
  readonly seen = new Set<string>();

  readonly machine: SipProxyFunction;
  readonly events: SipProxyFunctionEvent[] = [];
  now = 0;

  constructor() {
    const identity = {
      publicIdentity: 'sip:bob@home.example',
      privateIdentity: 'bob',
      password: 'secret',
      homeDomain: 'home.example',
    };
    const random = new SeededRandomSource(1);
    this.machine = new SipProxyFunction({
      local,
      registrar,
      accounts: [{ homeAddress, identity }],
      addressesOf: () => [],
      random,
    });
    this.machine.start(0);
    this.#drain();
  }

  forwardTo(careOfAddress: string | undefined, isBehindNat = false): void {
    this.now += 1000;
    const change = { kind: 'binding-changed', homeAddress, isBehindNat } as const;
    this.machine.handleInput(careOfAddress === undefined ? change : { ...change, careOfAddress }, this.now);
  }

  /** The contacts of the REGISTERs that it sends, one after the other, each answered with that status. */
  answerAll(statusCode: number): string[] {
    const contacts: string[] = [];
    for (let sent = this.#drain(); sent.length > 0; sent = this.#drain())
      for (const request of sent) {
        contacts.push((request.headers.get('Contact') ?? '').replace(/^<(.*)>;/, '$1 '));
        this.answer([request], statusCode);
      }
    return contacts;
  }

  unanswered(): SipRequest[] {
    return this.#drain();
  }

  answer(requests: readonly SipRequest[], statusCode: number): void {
    for (const request of requests) {
      const response = createResponse(request, statusCode, { toTag: 't' });
      if (statusCode === 200) response.headers.append('Contact', request.headers.get('Contact') ?? '');
      const payload = serializeSipMessage(response);
      this.machine.handleInput({ kind: 'datagram-received', local, remote: registrar, payload }, this.now);
    }
  }

  #drain(): SipRequest[] {
    const sent: SipRequest[] = [];
    for (let output = this.machine.pollOutput(); output !== undefined; output = this.machine.pollOutput()) {
      if (output.kind === 'event') this.events.push(output.event);
      else sent.push(...requestsIn(output));
    }
    return sent;
  }
}

function requestsIn(output: NetworkOutput): SipRequest[] {
  if (output.kind !== 'transmit' || output.transport !== 'udp') return [];
  const message = parseSipMessage(output.payload);
  return message instanceof SipRequest ? [message] : [];
}
