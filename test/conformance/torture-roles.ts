/**
 * Every SIP role of the project behind one door, for the torture messages: octets go in by UDP, and what the role does within half a
 * second comes out in words: 'answers 400', 'forwards', 'is silent'.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Instant } from '../../src/base/instant.ts';
import { isMalformed } from '../../src/base/malformed.ts';
import { SeededRandomSource } from '../../src/base/random-source.ts';
import { CorrespondentNode } from '../../src/correspondent-node/correspondent-node.ts';
import { SipServer } from '../../src/home-network/sip-server/sip-server.ts';
import { ServingCscf } from '../../src/ims-core/s-cscf/serving-cscf.ts';
import { DigestClient } from '../../src/protocols/sip/authentication/digest-client.ts';
import { BackToBackUserAgent } from '../../src/protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import { SipEndpoint } from '../../src/protocols/sip/endpoint.ts';
import { cseqOf, toOf } from '../../src/protocols/sip/message/header-fields.ts';
import { parseSipMessage } from '../../src/protocols/sip/message/parse-sip-message.ts';
import { serializeSipMessage } from '../../src/protocols/sip/message/serialize-sip-message.ts';
import { type SipMessage, SipRequest, SipResponse } from '../../src/protocols/sip/message/sip-message.ts';
import { SipProxy } from '../../src/protocols/sip/proxy/sip-proxy.ts';
import { addressOfRecord } from '../../src/protocols/sip/registration/address-of-record.ts';
import { type SipTestMachine, SipTestNetwork } from '../../src/protocols/sip/test-support/sip-network.ts';
import { diameterOf, TestHomeSubscriberServer, WithoutEvents } from '../figures/ims-core-lab.ts';

export interface TortureMessage {
  readonly name: string;
  readonly section: string;
  readonly rfc: string;
  readonly file: string;
  readonly wire?: string;
}

export const folder = 'test/data/sip-torture';
export const tortureMessages: readonly TortureMessage[] = JSON.parse(
  readFileSync(`${folder}/index.json`, 'utf8'),
).messages;

export function octetsOf(name: string): Uint8Array {
  const { wire, file } = tortureMessages.find((message) => message.name === name)!;
  return readFileSync(`${folder}/${wire ?? file}`);
}

export type Role =
  | 'user agent'
  | 'back-to-back user agent'
  | 'proxy'
  | 'registrar'
  | 'SIP server'
  | 'redirect server';

export interface Outcome {
  readonly words: string;
  /** The last one other than 100 that went back. */
  readonly response: string | undefined;
  readonly forwarded: SipMessage | undefined;
}

const door = { address: '10.0.0.1', port: 5060 };
const behind = { address: '10.0.0.2', port: 5060 };
const sender = { address: '192.0.2.200', port: 40_000 };

/** What the role does with the octets of one datagram. */
export function outcomeOf(role: Role, octets: Uint8Array): Outcome {
  const network = new SipTestNetwork();
  const machine = roles[role](network, octets);
  const before = network.ladder.length;
  network.inject(machine, { kind: 'datagram-received', local: door, remote: sender, payload: octets });
  network.run(network.now + 500);
  const left = network.ladder.flatMap((line, index) => {
    const isOurs =
      index >= before && line.includes(' 10.0.0.1:') && line.indexOf('10.0.0.1:') < line.indexOf('→');
    return isOurs ? [{ line, text: network.messages[index]! }] : [];
  });
  const inside = left.filter(({ line }) => line.includes(`→ ${behind.address}`));
  const outside = left.filter(({ line }) => !line.includes(`→ ${behind.address}`));
  const response = outside.map(({ text }) => text).findLast((text) => /^SIP\/2.0 (?!100)/.test(text));
  const forwarded = inside.map(({ text }) => text).find((text) => !text.startsWith('SIP/'));
  const words =
    response !== undefined
      ? `answers ${response.slice(8, 11)}`
      : forwarded !== undefined
        ? 'forwards'
        : 'is silent';
  return { words, response, forwarded: forwarded === undefined ? undefined : readable(forwarded) };
}

function readable(text: string): SipMessage {
  const message = parseSipMessage(Buffer.from(text, 'latin1'));
  if (isMalformed(message)) throw new Error(`the role sent what it would not take: ${message}\n${text}`);
  return message;
}

const roles: Readonly<Record<Role, (network: SipTestNetwork, octets: Uint8Array) => SipTestMachine>> = {
  'user agent': (network, octets) => terminal(network, door, octets),
  'back-to-back user agent': (network, octets) => {
    terminal(network, behind, octets);
    return relay(network);
  },
  proxy,
  registrar,
  'SIP server': (network) => sipServer(network),
  'redirect server': (network) => {
    const machine = sipServer(network, true);
    authorized(network, machine, registration);
    return machine;
  },
};

/** Its media are of the version of IP that it is called with: else 488 would be right (RFC 6157). */
function terminal(network: SipTestNetwork, sip: typeof door, call: Uint8Array): SipTestMachine {
  const isIpv6 = /^c=IN IP6/m.test(Buffer.from(call).toString('latin1'));
  const node = new CorrespondentNode({
    sip,
    identity: {
      publicIdentity: 'sip:user@example.com',
      privateIdentity: 'user',
      password: 'x',
      homeDomain: 'example.com',
    },
    expiresSeconds: 600,
    registers: false,
    outboundProxy: sender,
    ...(isIpv6 && { mediaAddress: '2001:db8::7' }),
    media: [
      { media: 'audio', transport: 'udp', port: 4000 },
      { media: 'video', transport: 'udp', port: 4002 },
    ],
    withReservation: false,
    ringMs: 0,
    random: new SeededRandomSource(1),
  });
  return added(network, new WithoutEvents(node));
}

function relay(network: SipTestNetwork): SipTestMachine {
  const random = new SeededRandomSource(2);
  const listen = [{ transport: 'udp' as const, ...door }];
  const agent = new BackToBackUserAgent({ endpoint: new SipEndpoint({ listen, random }), random });
  const contact = '<sip:b2bua@10.0.0.1:5060>';
  agent.start(0);
  const machine: SipTestMachine = {
    handleInput: (input, now) => agent.handleInput(input, now),
    handleTimeout: (now) => agent.handleTimeout(now),
    pollTimeout: () => agent.pollTimeout(),
    pollOutput: () => {
      for (let output = agent.pollOutput(); output !== undefined; output = agent.pollOutput()) {
        if (output.kind !== 'event') return output;
        const { event } = output;
        const { now } = network;
        if (event.type === 'call-arrived') {
          const { requestUri } = event.request;
          agent.routeCall(
            event.token,
            { contact },
            { contact, requestUri, routes: [], nextHop: behind },
            now,
          );
        } else if (event.type === 'body-arrived') agent.continueWith(event.token, event.body, now);
        else if (event.type === 'request-arrived')
          agent.forwardRequest(
            event.transaction,
            event.request,
            { contact, requestUri: event.request.requestUri, routes: [], nextHop: behind },
            now,
          );
      }
      return undefined;
    },
  };
  network.add(machine, () => {});
  return machine;
}

function proxy(network: SipTestNetwork): SipTestMachine {
  const endpoint = new SipEndpoint({
    listen: [{ transport: 'udp', ...door }],
    random: new SeededRandomSource(3),
  });
  const machine = new SipProxy({ endpoint, ownNames: ['10.0.0.1'] });
  machine.start(0);
  network.add(machine, () => {
    const { now } = network;
    for (let event = machine.pollEvent(now); event !== undefined; event = machine.pollEvent(now)) {
      if (event.kind === 'request')
        machine.forward(event.transaction, [{ nextHop: { transport: 'udp', ...behind } }], now);
      else if (event.kind === 'response-chosen') machine.respond(event.transaction, event.response, now);
    }
  });
  return machine;
}

/** An S-CSCF with an HSS that knows the users of the torture messages. */
function registrar(network: SipTestNetwork): SipTestMachine {
  // As the S-CSCF asks for them: without escapes.
  const users = ['watson', 'null-\0-null', 'j.user', 'user'];
  added(
    network,
    new TestHomeSubscriberServer(
      users.map((user) => ({ publicIdentity: `sip:${user}@example.com`, password: 'x', criteria: '' })),
    ),
  );
  const cscf = new ServingCscf({
    listen: [{ transport: 'udp', ...door }],
    address: door,
    name: 'sip:scscf.home1.net',
    realm: 'home1.net',
    hosts: new Map([['example.com', { address: behind.address }]]),
    diameter: diameterOf('scscf.home1.net'),
    random: new SeededRandomSource(4),
  });
  const machine = added(network, new WithoutEvents(cscf));
  network.run(1_000);
  return machine;
}

/** Registrar, proxy and redirect server of example.com, whose users all have the password 'x'. */
function sipServer(network: SipTestNetwork, redirect = false): SipTestMachine {
  const users = ['watson', 'null-\0-null', 'j.user', 'user'].map((name) => ({ name, password: 'x' }));
  const listen = [{ transport: 'udp' as const, ...door }];
  const server = new SipServer({
    listen,
    address: door,
    domain: 'example.com',
    users,
    redirect,
    random: new SeededRandomSource(6),
  });
  return added(network, new WithoutEvents(server));
}

const registration = Buffer.from(
  'REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.200;branch=z9hG4bKreg\r\nFrom: <sip:user@example.com>;tag=1\r\n' +
    'To: <sip:user@example.com>\r\nCall-ID: registration\r\nCSeq: 1 REGISTER\r\nContact: <sip:user@192.0.2.8>\r\nContent-Length: 0\r\n\r\n',
);

/** What a registrar that challenged the REGISTER says when it comes again with credentials. */
export function registrationOutcome(octets: Uint8Array): string {
  const network = new SipTestNetwork();
  return authorized(network, sipServer(network), octets);
}

/** The last response. */
function authorized(network: SipTestNetwork, machine: SipTestMachine, octets: Uint8Array): string {
  const ask = (payload: Uint8Array): string => {
    network.inject(machine, { kind: 'datagram-received', local: door, remote: sender, payload });
    return network.messages.at(-1)!;
  };
  const challenge = readable(ask(octets));
  const request = readable(Buffer.from(octets).toString('latin1'));
  assert.ok(challenge instanceof SipResponse && request instanceof SipRequest);
  const user = /^sip:([^@]*)@/.exec(addressOfRecord(toOf(request).uri))![1]!;
  const digest = new DigestClient(user, 'x', new SeededRandomSource(8));
  assert.ok(digest.acceptChallenge(request, challenge));
  request.headers.removeAll('Authorization');
  digest.authorize(request);
  const { number } = cseqOf(request);
  request.headers.set('CSeq', `${number + 1} REGISTER`);
  request.headers.set('Via', 'SIP/2.0/UDP 192.0.2.200;branch=z9hG4bKagain');
  return ask(serializeSipMessage(request));
}

function added<M extends SipTestMachine & { start(now: Instant): void }>(
  network: SipTestNetwork,
  machine: M,
): M {
  machine.start(network.now);
  network.add(machine, () => {});
  return machine;
}
