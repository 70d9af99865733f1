import assert from 'node:assert/strict';
import { test } from 'node:test';
import { avp } from '../protocols/diameter/avp.ts';
import { baseAvps } from '../protocols/diameter/dictionary/base.ts';
import { encodeMessage } from '../protocols/diameter/message.ts';
import { encodeMessage as encodeMobileIp, type MobileIpMessage } from '../protocols/mobile-ip/message.ts';
import { MessageObserver } from './message-observer.ts';
import type { ObservedOctets } from './observed-octets.ts';

const local = { address: '192.0.2.1', port: 5060 };
const remote = { address: '2001:db8::1', port: 5070 };

test('MessageObserver says in one line which SIP message a datagram is, and from where to where', () => {
  const [entry, ...more] = new MessageObserver('p-cscf').observe(datagram('sent', register), 17);
  assert.deepEqual(more, []);
  assert.deepEqual(entry, {
    at: 17,
    node: 'p-cscf',
    direction: 'sent',
    protocol: 'sip',
    transport: 'udp',
    from: '192.0.2.1:5060',
    to: '[2001:db8::1]:5070',
    summary: 'REGISTER sip:home.example',
    details: { callId: 'c1@ue', cseq: '1 REGISTER', branch: 'z9hG4bK1', content: '' },
  });
});

test('MessageObserver names the method that a SIP response answers', () => {
  const response = register.replace('REGISTER sip:home.example SIP/2.0', 'SIP/2.0 401 Unauthorized');
  assert.deepEqual(summaries([datagram('received', response)]), ['401 Unauthorized (REGISTER)']);
});

test('MessageObserver shows a malformed SIP message and passes over media and keep-alives', () => {
  const broken = register.replace('CSeq: 1 REGISTER', 'CSeq: one REGISTER');
  const rtp = { direction: 'sent', local, remote, payload: Uint8Array.of(0x80, 0, 0, 1) } as const;
  assert.deepEqual(summaries([datagram('sent', broken), rtp, datagram('sent', '\r\n\r\n')]), [
    'malformed: CSeq',
  ]);
  // Each is well-formed line by line.
  for (const missing of ['Via', 'Call-ID', 'CSeq'])
    assert.deepEqual(
      summaries([datagram('received', register.replace(new RegExp(`^${missing}:.*\r\n`, 'm'), ''))]),
      [`malformed: ${missing}`],
    );
});

test('MessageObserver finds the SIP messages of a byte stream however it is cut, each direction apart', () => {
  const text = register + register;
  const seen = summaries([
    piece('sent', text.slice(0, 30)),
    piece('received', register.slice(0, 60)),
    piece('sent', text.slice(30, 300)),
    piece('sent', text.slice(300)),
    piece('received', register.slice(60)),
  ]);
  assert.deepEqual(seen, Array(3).fill('REGISTER sip:home.example'));
});

test('MessageObserver names Diameter requests and answers with their result', () => {
  const header = {
    commandCode: 257,
    applicationId: 0,
    isProxiable: false,
    isError: false,
    isRetransmitted: false,
    hopByHopId: 1,
    endToEndId: 1,
  };
  const request = encodeMessage({ ...header, isRequest: true, avps: [] });
  const answer = encodeMessage({ ...header, isRequest: false, avps: [avp(baseAvps.resultCode, 2001)] });
  const unknown = encodeMessage({ ...header, commandCode: 999, isRequest: true, avps: [] });
  const seen = summaries(
    [request, answer, unknown].map((payload) => ({
      direction: 'sent',
      connection: 'o1',
      local,
      remote,
      payload,
    })),
  );
  assert.deepEqual(seen, ['CER', 'CEA 2001', 'command 999']);
});

test('MessageObserver names Mobile IP messages with care-of address and code, and passes over tunnelled packets', () => {
  const common = {
    lifetimeSeconds: 300,
    homeAddress: '10.0.0.50',
    homeAgent: '10.0.0.1',
    identification: 17n,
  };
  const request = {
    ...common,
    kind: 'registration-request',
    simultaneousBindings: false,
    broadcasts: false,
    decapsulationByMobileNode: true,
    minimalEncapsulation: false,
    genericRoutingEncapsulation: false,
    reverseTunnel: true,
    careOfAddress: '192.0.2.7',
    extensions: [
      {
        kind: 'flow-binding',
        action: 'forward',
        bindingIds: [2, 1],
        selector: {},
      },
    ],
  } as const;
  const reply: MobileIpMessage = { ...common, kind: 'registration-reply', code: 0, extensions: [] };
  const agent = { address: '10.0.0.1', port: 434 };
  const over = (payload: Uint8Array): ObservedOctets => ({
    direction: 'sent',
    local,
    remote: agent,
    payload,
  });
  const seen = [
    encodeMobileIp(request),
    encodeMobileIp(reply),
    encodeMobileIp({ ...request, lifetimeSeconds: 0 }),
    Uint8Array.of(4, 4, 0, 0, 0x45),
    Uint8Array.of(1, 2, 3),
  ].flatMap((payload) => new MessageObserver('mn').observe(over(payload), 0));
  assert.deepEqual(
    seen.map(({ protocol, summary }) => `${protocol}: ${summary}`),
    [
      'mobile-ip: RRQ 192.0.2.7',
      'mobile-ip: RRP 0',
      'mobile-ip: RRQ 192.0.2.7 lifetime 0',
      'mobile-ip: malformed: Message',
    ],
  );
  assert.equal(seen[0]?.details['flows'], '2 1');
  assert.equal(seen[0]?.details['identification'], '11');
});

const register = [
  'REGISTER sip:home.example SIP/2.0',
  'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1',
  'From: <sip:bob@home.example>;tag=a',
  'To: <sip:bob@home.example>',
  'Call-ID: c1@ue',
  'CSeq: 1 REGISTER',
  'Max-Forwards: 70',
  'Content-Length: 0',
  '',
  '',
].join('\r\n');

function summaries(observed: readonly ObservedOctets[]): string[] {
  const observer = new MessageObserver('node');
  return observed.flatMap((octets) => observer.observe(octets, 0)).map((entry) => entry.summary);
}

function datagram(direction: 'sent' | 'received', text: string): ObservedOctets {
  return { direction, local, remote, payload: new Uint8Array(Buffer.from(text, 'latin1')) };
}

function piece(direction: 'sent' | 'received', text: string): ObservedOctets {
  return { ...datagram(direction, text), connection: 'a1' };
}
