/**
 * Every SIP role of the project behind one door, for the torture messages: octets go in by UDP, and what the role does within half a
 * second comes out in words: 'answers 400', 'forwards', 'is silent'.
 */
import { readFileSync } from 'node:fs';
import type { Instant } from '../../src/base/instant.ts';
import { isMalformed } from '../../src/base/malformed.ts';
import { SeededRandomSource } from '../../src/base/random-source.ts';
import { CorrespondentNode } from '../../src/correspondent-node/correspondent-node.ts';
import { ServingCscf } from '../../src/ims-core/s-cscf/serving-cscf.ts';
import { BackToBackUserAgent } from '../../src/protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import { SipEndpoint } from '../../src/protocols/sip/endpoint.ts';
import { parseSipMessage } from '../../src/protocols/sip/message/parse-sip-message.ts';
import type { SipMessage } from '../../src/protocols/sip/message/sip-message.ts';
import { SipProxy } from '../../src/protocols/sip/proxy/sip-proxy.ts';
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

export type Role = 'user agent' | 'back-to-back user agent' | 'proxy' | 'registrar';

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
  const machine = roles[role](network);
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

const roles: Readonly<Record<Role, (network: SipTestNetwork) => SipTestMachine>> = {
  'user agent': (network) => terminal(network, door),
  'back-to-back user agent': (network) => {
    terminal(network, behind);
    return relay(network);
  },
  proxy,
  registrar,
};

function terminal(network: SipTestNetwork, sip: typeof door): SipTestMachine {
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

function added<M extends SipTestMachine & { start(now: Instant): void }>(
  network: SipTestNetwork,
  machine: M,
): M {
  machine.start(network.now);
  network.add(machine, () => {});
  return machine;
}
