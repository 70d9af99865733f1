/**
 * What a proxy does with each INVITE: parse, take its own Route off, push Via and Record-Route, count Max-Forwards down, serialize.
 * The message is one of an IMS core with preconditions (reference: RFC 3312, TS 24.228 flows), 1.9 kB. Measured beside the npm
 * package `sip`, which does the same in the same run.
 */
import { createRequire } from 'node:module';
import { isMalformed } from '../src/base/malformed.ts';
import { maxForwardsOf } from '../src/protocols/sip/message/header-fields.ts';
import { parseNameAddress } from '../src/protocols/sip/message/name-address.ts';
import { parseSipMessage } from '../src/protocols/sip/message/parse-sip-message.ts';
import { requestRejection } from '../src/protocols/sip/message/request-rejection.ts';
import { serializeSipMessage } from '../src/protocols/sip/message/serialize-sip-message.ts';
import { type Benchmark, operationsPerCpuSecond } from './harness.ts';

const sdp = [
  'v=0',
  'o=- 2987933615 2987933615 IN IP4 10.1.0.2',
  's=-',
  'c=IN IP4 10.1.0.2',
  't=0 0',
  'm=audio 40000 RTP/AVP 97 0 101',
  'b=AS:41',
  'a=curr:qos local none',
  'a=curr:qos remote none',
  'a=des:qos mandatory local sendrecv',
  'a=des:qos none remote sendrecv',
  'a=rtpmap:97 AMR/8000',
  'a=fmtp:97 mode-set=0,2,4,7; mode-change-period=2; max-red=0',
  'a=rtpmap:101 telephone-event/8000',
  'a=maxptime:40',
  '',
].join('\r\n');

const invite = Buffer.from(
  [
    'INVITE sip:cn@ims.test SIP/2.0',
    'Via: SIP/2.0/UDP 10.1.0.10:5060;branch=z9hG4bKd3a2.8f1c6b47.0;received=10.1.0.10;rport=5060',
    'Via: SIP/2.0/UDP 10.1.0.2:5070;received=10.1.0.2;rport=5070;branch=z9hG4bK-524287-1---7d2e5a8c41b9f36e',
    'Max-Forwards: 69',
    'Route: <sip:orig@10.1.0.20:5060;lr>, <sip:iscmark@10.1.0.20:5060;lr;s=2;h=0;d=0;a=7369703a6d6e40696d732e74657374>',
    'Record-Route: <sip:mo@10.1.0.10:5060;lr=on;ftag=9b1c3f27;did=3c5.6a71>',
    'Contact: <sip:mn@10.1.0.2:5070;transport=udp>;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"',
    'To: "Correspondent" <sip:cn@ims.test>',
    'From: "Mobile Node" <sip:mn@ims.test>;tag=9b1c3f27',
    'Call-ID: 9UaTj2XbR0q7pWvN5cYhKg..@10.1.0.2',
    'CSeq: 2 INVITE',
    'Allow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, OPTIONS, NOTIFY, REFER, MESSAGE',
    'Supported: 100rel, precondition, timer, path, replaces, outbound, gruu',
    'Content-Type: application/sdp',
    'P-Access-Network-Info: 3GPP-UTRAN-TDD; utran-cell-id-3gpp=234151D0FCE11',
    'P-Asserted-Identity: "Mobile Node" <sip:mn@ims.test>, <tel:+34910000001>',
    'P-Charging-Vector: icid-value=AyretyU0dm+6O2IrT5tAFrbHLso=023551024; icid-generated-at=10.1.0.10',
    'P-Visited-Network-ID: "ims.test"',
    'P-Early-Media: supported',
    'Privacy: none',
    'Security-Verify: ipsec-3gpp;q=0.1;alg=hmac-sha-1-96;spi-c=98765432;spi-s=87654321;port-c=8642;port-s=7531',
    'Accept-Contact: *;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"',
    'Session-Expires: 1800;refresher=uac',
    'Min-SE: 90',
    'User-Agent: Trimaran Mobile Node/0.1.0 (Linux)',
    `Content-Length: ${sdp.length}`,
    '',
    sdp,
  ].join('\r\n'),
  'latin1',
);

const ownVia = 'SIP/2.0/UDP 10.1.0.20:5060;branch=z9hG4bKf00dcafe.1';
const ownRecordRoute = '<sip:mo@10.1.0.20:5060;lr>';

function routeWithTrimaran(): Uint8Array {
  const message = parseSipMessage(invite);
  if (isMalformed(message) || message.kind !== 'request' || requestRejection(message) !== undefined)
    throw new Error('the benchmark message must be good');
  const { headers } = message;
  const route = parseNameAddress(headers.get('Route') ?? '');
  if (isMalformed(route) || route.uri.kind !== 'sip' || route.uri.host !== '10.1.0.20')
    throw new Error('the first Route must be ours');
  headers.removeFirst('Route');
  headers.set('Max-Forwards', String((maxForwardsOf(message) ?? 70) - 1));
  headers.prepend('Record-Route', ownRecordRoute);
  headers.prepend('Via', ownVia);
  return serializeSipMessage(message);
}

interface SipPackageMessage {
  headers: {
    via: unknown[];
    route: { uri: { host: string } }[];
    'record-route': unknown[];
    'max-forwards': string | number;
  };
}
const require = createRequire(import.meta.url);
const sipPackage: {
  parse: (text: string | Buffer) => SipPackageMessage;
  stringify: (message: SipPackageMessage) => string;
} = require('sip');

function routeWithSipPackage(): Uint8Array {
  const message = sipPackage.parse(invite);
  const { headers } = message;
  if (headers.route[0]?.uri.host !== '10.1.0.20') throw new Error('the first Route must be ours');
  headers.route.shift();
  headers['max-forwards'] = Number(headers['max-forwards']) - 1;
  headers['record-route'].unshift({
    uri: { schema: 'sip', user: 'mo', host: '10.1.0.20', port: 5060, params: { lr: null } },
  });
  headers.via.unshift({
    version: '2.0',
    protocol: 'UDP',
    host: '10.1.0.20',
    port: 5060,
    params: { branch: 'z9hG4bKf00dcafe.1' },
  });
  return Buffer.from(sipPackage.stringify(message), 'latin1');
}

export const benchmarks: readonly Benchmark[] = [
  {
    name: `SIP proxy step on an INVITE of ${invite.length} octets`,
    unit: 'messages per second of one core',
    rounds: 15,
    variants: [
      { name: 'trimaran', sample: () => operationsPerCpuSecond(routeWithTrimaran) },
      { name: 'npm sip', sample: () => operationsPerCpuSecond(routeWithSipPackage) },
    ],
    requirements: [
      { kind: 'must', text: '200,000/s', isMet: (median) => median('trimaran') >= 200_000 },
      { kind: 'must', text: '4 × npm sip', isMet: (median) => median('trimaran') >= 4 * median('npm sip') },
      { kind: 'goal', text: '300,000/s', isMet: (median) => median('trimaran') >= 300_000 },
    ],
  },
];
