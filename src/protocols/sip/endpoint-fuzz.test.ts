/** Octets that nobody should send, to an endpoint and through a proxy: nothing throws, and what is sent in answer is SIP. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMalformed } from '../../base/malformed.ts';
import type { NetworkInput, NetworkOutput } from '../../base/network.ts';
import { SeededRandomSource } from '../../base/random-source.ts';
import { SipEndpoint } from './endpoint.ts';
import { createResponse } from './message/create-response.ts';
import { parseSipMessage } from './message/parse-sip-message.ts';
import { SipProxy } from './proxy/sip-proxy.ts';

const local = { address: '10.0.0.9', port: 5060 };
const remote = { address: '10.0.0.1', port: 5060 };
const headers = [
  'Via: SIP/2.0/UDP a.test:5060;branch=z9hG4bK1;rport',
  'Via: SIP/2.0/TCP b.test',
  'Route: <sip:10.0.0.9;lr>, <sip:10.0.0.2;lr>',
  'Max-Forwards: 70',
  'Proxy-Require: x',
  'From: "A" <sip:alice@a.test>;tag=a',
  'To: <sip:bob@b.test>;tag=b',
  'Call-ID: c',
  'CSeq: 1 INVITE',
  'Contact: <sip:alice@10.0.0.1>',
  'Content-Length: 4',
];
const startLines = [
  'INVITE sip:bob@10.0.0.2 SIP/2.0',
  'ACK sip:bob@b.test SIP/2.0',
  'CANCEL tel:+1 SIP/2.0',
  'SIP/2.0 200 OK',
];

/** A message whose lines are dropped, doubled and bent. */
const message: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom(...startLines),
    fc.shuffledSubarray(headers, { minLength: headers.length - 2 }),
    fc.array(
      fc.record({
        at: fc.nat(600),
        remove: fc.nat(6),
        insert: fc.string({ maxLength: 4, unit: 'binary-ascii' }),
      }),
      {
        maxLength: 3,
      },
    ),
  )
  .map(([startLine, lines, bends]) => {
    const method = startLine.split(' ', 1)[0]!.replace('SIP/2.0', 'INVITE');
    const text = [startLine, ...lines, '', 'body'].join('\r\n').replace('1 INVITE', `1 ${method}`);
    return bends.reduce(
      (bent, { at, remove, insert }) => bent.slice(0, at) + insert + bent.slice(at + remove),
      text,
    );
  });

test('SipEndpoint, SipProxy: no datagram makes them throw, and every answer is a message that parses', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 4 }), (texts) => {
      const proxy = createProxy();
      for (const text of texts) {
        const payload = Buffer.from(text, 'latin1');
        feed(proxy, { kind: 'datagram-received', local, remote, payload });
      }
    }),
    { seed: 4475, numRuns: 1_500 },
  );
});

test('SipEndpoint, SipProxy: no stream makes them throw', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 4 }), (texts) => {
      const proxy = createProxy();
      feed(proxy, { kind: 'connection-accepted', connection: 'a', local, remote });
      for (const text of texts)
        feed(proxy, { kind: 'stream-received', connection: 'a', payload: Buffer.from(text, 'latin1') });
    }),
    { seed: 4475, numRuns: 500 },
  );
});

test('SipEndpoint, SipProxy: any octet before or behind the value of any header is survived', () => {
  for (const header of headers) {
    const [name, value] = [header.slice(0, header.indexOf(':')), header.slice(header.indexOf(':') + 2)];
    for (let code = 0; code < 256; code++) {
      const octet = String.fromCharCode(code);
      for (const bent of [
        `${name}:${octet}${value}`,
        `${name}: ${octet}${value}`,
        `${name}: ${value}${octet}`,
      ]) {
        const lines = headers.map((line) => (line === header ? bent : line));
        const text = [startLines[0], ...lines, '', 'body'].join('\r\n');
        const payload = Buffer.from(text, 'latin1');
        feed(createProxy(), { kind: 'datagram-received', local, remote, payload });
      }
    }
  }
});

function createProxy(): SipProxy {
  const listen = (['udp', 'tcp'] as const).map((transport) => ({ transport, ...local }));
  const endpoint = new SipEndpoint({ listen, random: new SeededRandomSource(1), refuseMergedRequests: true });
  const proxy = new SipProxy({ endpoint, ownNames: ['10.0.0.9'] });
  proxy.start(0);
  return proxy;
}

function feed(proxy: SipProxy, input: NetworkInput): void {
  proxy.handleInput(input, 0);
  for (let event = proxy.pollEvent(0); event !== undefined; event = proxy.pollEvent(0)) {
    if (event.kind === 'request') {
      proxy.respond(event.transaction, createResponse(event.request, 180, { toTag: 't' }), 0);
      proxy.forward(event.transaction, [{}], 0);
    } else if (event.kind === 'response-chosen') proxy.respond(event.transaction, event.response, 0);
    else if (event.kind === 'ack') proxy.forwardAck(event.request, {}, 0);
  }
  for (let output = proxy.pollOutput(); output !== undefined; output = proxy.pollOutput())
    checkOutput(output);
}

/** An answer repeats fields of a request that may be broken in them; only what the proxy wrote itself must be right. */
function checkOutput(output: NetworkOutput): void {
  if (output.kind !== 'transmit') return;
  const text = Buffer.from(output.payload).toString('latin1');
  if (!/^SIP\/2\.0 400/.test(text)) assert.ok(!isMalformed(parseSipMessage(output.payload)), text);
}
