/**
 * What the TRIM AS and the address translator hold for a session once it is established. Both run as they are, between a caller and a callee that
 * hardly remember anything. bench/established-calls.bench.ts says how much it is (issue 4: 4 kB of heap in the AS); the bounds here are wider by
 * what V8 takes for code meanwhile, and narrow enough for a message that is kept.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { queryObjects } from 'node:v8';
import { isMalformed } from '../../src/base/malformed.ts';
import type { NetworkInput, NetworkOutput } from '../../src/base/network.ts';
import { ownText } from '../../src/base/own-text.ts';
import { SeededRandomSource } from '../../src/base/random-source.ts';
import { AddressTranslator } from '../../src/home-network/address-translator/address-translator.ts';
import { TrimApplicationServer } from '../../src/home-network/trim-as/trim-application-server.ts';
import { TestNetwork } from '../../src/protocols/diameter/test-network.ts';
import { createResponse } from '../../src/protocols/sip/message/create-response.ts';
import { parseSipMessage } from '../../src/protocols/sip/message/parse-sip-message.ts';
import { serializeSipMessage } from '../../src/protocols/sip/message/serialize-sip-message.ts';
import { type SipMessage, SipRequest, SipResponse } from '../../src/protocols/sip/message/sip-message.ts';
import { IncomingRequest } from '../../src/protocols/sip/user-agent/incoming-request.ts';
import { OutgoingRequest } from '../../src/protocols/sip/user-agent/outgoing-request.ts';
import { heapOctets } from '../fuzz/heap.ts';

const server = '10.0.1.4';
const translator = '10.0.1.5';
/** Until the transactions of all calls are forgotten (64·T1), and the answers that a translator gives again to duplicates (RFC 6733 §3). */
const settlingMs = 5 * 60_000;

test('TrimApplicationServer: an established session holds less than 7 kB, and one of the translator less than 6 kB', () => {
  const calls = new EstablishedCalls();
  calls.establish(500);
  const before = heapOctets();
  calls.establish(800);
  const both = heapOctets();
  calls.removeTranslator();
  const ofTranslator = (both - heapOctets()) / calls.count;
  const ofServer = (both - before) / 800 - ofTranslator;
  assert.equal(calls.count, 1300);
  assert.ok(ofServer < 7000, `the AS holds ${ofServer} octets per session`);
  assert.ok(ofTranslator < 6000, `the translator holds ${ofTranslator} octets per session`);
});

test('TrimApplicationServer: no message stays with the session that it established or changed, nor what was made of it', () => {
  const calls = new EstablishedCalls();
  calls.establish(10);
  const kept = (): readonly number[] =>
    [SipRequest, SipResponse, IncomingRequest, OutgoingRequest].map((kind) =>
      queryObjects(kind, { format: 'count' }),
    );
  assert.deepEqual(kept(), [0, 0, 0, 0]);
  for (const direction of ['sendonly', 'sendrecv']) calls.change(direction);
  assert.deepEqual(kept(), [0, 0, 0, 0]);
  assert.equal(calls.count, 10);
});

/** Datagrams in, datagrams out, and no memory but that of the test. */
class Telephone {
  readonly #outputs: NetworkOutput[] = [];
  readonly #address: string;
  readonly #receive: (message: SipMessage) => void;

  constructor(address: string, receive: (message: SipMessage) => void) {
    this.#address = address;
    this.#receive = receive;
  }

  send(message: SipMessage): void {
    const local = { address: this.#address, port: 5060 };
    const remote = { address: server, port: 5060 };
    const payload = serializeSipMessage(message);
    this.#outputs.push({ kind: 'transmit', transport: 'udp', local, remote, payload });
  }

  handleInput(input: NetworkInput): void {
    const message = input.kind === 'datagram-received' ? parseSipMessage(input.payload) : undefined;
    if (message !== undefined && !isMalformed(message)) this.#receive(message);
  }

  handleTimeout(): void {}

  pollTimeout(): undefined {}

  pollOutput(): NetworkOutput | undefined {
    return this.#outputs.shift();
  }
}

class EstablishedCalls {
  readonly #network = new TestNetwork();
  readonly #caller = new Telephone('10.0.2.1', (message) => this.#hear(message));
  readonly #callee = new Telephone('10.0.2.2', (message) => this.#answer(message));
  readonly #server: TrimApplicationServer = createServer();
  /** From the 200, for a re-INVITE. */
  #answered: { readonly callId: string; readonly to: string; readonly target: string }[] = [];
  #translator: AddressTranslator | undefined = createTranslator();
  #direction = 'sendrecv';
  #sequence = 1;

  constructor() {
    const { now } = this.#network;
    this.#network.add(translator, this.#translator!, (output) => {
      if (output.kind === 'effect')
        this.#translator?.handleInput({ kind: 'effect-completed', id: output.effect.id }, this.#network.now);
    });
    this.#network.add(server, this.#server);
    this.#network.add('10.0.2.1', this.#caller);
    this.#network.add('10.0.2.2', this.#callee);
    this.#translator?.start(now);
    this.#server.start(now);
    this.#network.run(1000);
  }

  get count(): number {
    return this.#server.sessionCount;
  }

  /** The last one when all others have settled: with it the translator forgets what is old. */
  establish(count: number): void {
    this.#answered = [];
    const target = this.count + count;
    while (this.count < target) {
      if (this.count === target - 1) this.#network.run(settlingMs);
      this.#invite(`call-${this.count}@10.0.2.1`, '<sip:cn@ims.test>', 'sip:cn@ims.test');
      this.#network.run(10);
    }
    this.#network.run(settlingMs);
    assert.equal(this.#answered.length, count);
  }

  /** A re-INVITE in each session, which the callee answers. */
  change(direction: string): void {
    this.#direction = direction;
    this.#sequence += 1;
    for (const { callId, to, target } of this.#answered.splice(0)) {
      this.#invite(callId, to, target);
      this.#network.run(10);
    }
    this.#network.run(settlingMs);
  }

  removeTranslator(): void {
    this.#network.remove(translator);
    this.#translator = undefined;
  }

  #invite(callId: string, to: string, target: string): void {
    const invite = this.#request('INVITE', callId, to, target);
    if (!to.includes('tag=')) {
      invite.headers.append('Route', `<sip:${server};lr>, <sip:mark@10.0.2.2;lr>`);
      invite.headers.append('P-Served-User', '<sip:mn@ims.test>;sescase=orig;regstate=reg');
    }
    invite.headers.append('Contact', '<sip:mn@10.0.2.1>');
    invite.headers.append('Content-Type', 'application/sdp');
    invite.body = this.#description('10.0.2.1');
    this.#caller.send(invite);
  }

  #request(method: string, callId: string, to: string, target: string): SipRequest {
    const request = new SipRequest(method, target);
    const { headers } = request;
    headers.append('Via', `SIP/2.0/UDP 10.0.2.1;branch=z9hG4bK-${method}-${this.#sequence}-${callId}`);
    headers.append('Max-Forwards', '70');
    headers.append('From', `<sip:mn@ims.test>;tag=${callId}`);
    headers.append('To', to);
    headers.append('Call-ID', callId);
    headers.append('CSeq', `${this.#sequence} ${method}`);
    return request;
  }

  /** The caller acknowledges. */
  #hear(message: SipMessage): void {
    if (message.kind === 'request' || message.statusCode < 200) return;
    assert.equal(message.statusCode, 200);
    const fieldOf = (name: string): string => ownText(message.headers.get(name) ?? '');
    const [callId, to] = [fieldOf('Call-ID'), fieldOf('To')];
    const target = fieldOf('Contact').slice(1, -1);
    this.#answered.push({ callId, to, target });
    this.#caller.send(this.#request('ACK', callId, to, target));
  }

  #answer(message: SipMessage): void {
    if (message.kind === 'response' || message.method !== 'INVITE') return;
    this.#callee.send(this.#response(message, 180));
    const success = this.#response(message, 200);
    success.headers.append('Content-Type', 'application/sdp');
    success.body = this.#description('10.0.2.2');
    this.#callee.send(success);
  }

  #response(invite: SipRequest, statusCode: number): SipResponse {
    const response = createResponse(invite, statusCode, { toTag: 'callee' });
    response.headers.append('Contact', '<sip:cn@10.0.2.2>');
    return response;
  }

  #description(address: string): string {
    const session = ['v=0', `o=- 1 ${this.#sequence} IN IP4 ${address}`, 's=-', `c=IN IP4 ${address}`];
    const stream = ['t=0 0', 'm=audio 40000 RTP/AVP 8', 'a=rtpmap:8 PCMA/8000', `a=${this.#direction}`];
    return [...session, ...stream, ''].join('\r\n');
  }
}

function createServer(): TrimApplicationServer {
  const address = { address: server, port: 5060 };
  return new TrimApplicationServer({
    listen: [{ transport: 'udp', ...address }],
    address,
    diameter: {
      originHost: 'trim-as.ims.test',
      originRealm: 'ims.test',
      originStateId: 1,
      peers: [{ host: 'translator.ims.test', address: { address: translator, port: 3868 } }],
    },
    translators: [{ host: 'translator.ims.test' }],
    graceMs: 32_000,
    maximumSessions: 10_000,
    random: new SeededRandomSource(1),
  });
}

function createTranslator(): AddressTranslator {
  return new AddressTranslator({
    diameter: {
      originHost: 'translator.ims.test',
      originRealm: 'ims.test',
      originStateId: 1,
      listen: [{ address: translator, port: 3868 }],
      peers: [{ host: 'trim-as.ims.test' }],
      random: new SeededRandomSource(2),
    },
    pool: { addresses: ['198.51.100.1', '198.51.100.2'], firstPort: 1024, lastPort: 65_535 },
  });
}
