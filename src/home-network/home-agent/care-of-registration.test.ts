import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkOutput } from '../../base/network.ts';
import { SeededRandomSource } from '../../base/random-source.ts';
import { createResponse } from '../../protocols/sip/message/create-response.ts';
import { parseSipMessage } from '../../protocols/sip/message/parse-sip-message.ts';
import { serializeSipMessage } from '../../protocols/sip/message/serialize-sip-message.ts';
import { SipRequest } from '../../protocols/sip/message/sip-message.ts';
import { CareOfRegistration, type CareOfRegistrationEvent } from './care-of-registration.ts';

const homeAddress = '10.0.0.50';
const local = { address: '10.0.0.1', port: 5060 };
const registrar = { address: '10.0.0.5', port: 5060 };

test('CareOfRegistration: registers the care-of address that packets are forwarded to, then takes the former one back', () => {
  const bench = new Bench();
  bench.forwardTo('192.0.2.7');
  assert.deepEqual(bench.answerAll(200), ['sip:bob@192.0.2.7:5060 expires=600']);
  bench.forwardTo('198.51.100.7');
  assert.deepEqual(bench.answerAll(200), [
    'sip:bob@198.51.100.7:5060 expires=600',
    'sip:bob@192.0.2.7:5060 expires=0',
  ]);
  assert.deepEqual(
    bench.events.map((event) => `${event.type} ${event.careOfAddress}`),
    ['contact-registered 192.0.2.7', 'contact-registered 198.51.100.7'],
  );
});

test('CareOfRegistration: the former contact stays while the new one is refused, and is refreshed when it is wanted again', () => {
  const bench = new Bench();
  bench.forwardTo('192.0.2.7');
  bench.answerAll(200);
  bench.forwardTo('198.51.100.7');
  assert.deepEqual(bench.answerAll(503), ['sip:bob@198.51.100.7:5060 expires=600']);
  assert.deepEqual(bench.events.at(-1), {
    type: 'contact-refused',
    homeAddress,
    careOfAddress: '198.51.100.7',
    statusCode: 503,
  });
  bench.forwardTo('192.0.2.7');
  assert.deepEqual(bench.answerAll(200), ['sip:bob@192.0.2.7:5060 expires=600']);
});

test('CareOfRegistration: without a binding the contact is taken back, and strangers have none', () => {
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

test('CareOfRegistration: refreshes before the registration expires', () => {
  const bench = new Bench();
  bench.forwardTo('192.0.2.7');
  bench.answerAll(200);
  bench.now = 302_000;
  bench.machine.handleTimeout(bench.now);
  assert.deepEqual(bench.answerAll(200), ['sip:bob@192.0.2.7:5060 expires=600']);
});

class Bench {
  readonly machine: CareOfRegistration;
  readonly events: CareOfRegistrationEvent[] = [];
  now = 0;

  constructor() {
    const identity = {
      publicIdentity: 'sip:bob@home.example',
      privateIdentity: 'bob',
      password: 'secret',
      homeDomain: 'home.example',
    };
    const random = new SeededRandomSource(1);
    this.machine = new CareOfRegistration({
      local,
      registrar,
      accounts: [{ homeAddress, identity }],
      random,
    });
    this.machine.start(0);
    this.#drain();
  }

  forwardTo(careOfAddress: string | undefined): void {
    this.now += 1000;
    const change = { kind: 'binding-changed', homeAddress } as const;
    this.machine.handleInput(careOfAddress === undefined ? change : { ...change, careOfAddress }, this.now);
  }

  /** The contacts of the REGISTERs that it sends, one after the other, each answered with that status. */
  answerAll(statusCode: number): string[] {
    const contacts: string[] = [];
    for (let sent = this.#drain(); sent.length > 0; sent = this.#drain())
      for (const request of sent) {
        const contact = request.headers.get('Contact') ?? '';
        contacts.push(contact.replace(/^<(.*)>;/, '$1 '));
        const response = createResponse(request, statusCode, { toTag: 't' });
        if (statusCode === 200) response.headers.append('Contact', contact);
        const payload = serializeSipMessage(response);
        this.machine.handleInput({ kind: 'datagram-received', local, remote: registrar, payload }, this.now);
      }
    return contacts;
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
