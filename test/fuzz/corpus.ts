/** The inputs that fuzzing begins with: torture messages and vectors of test/data, and what our own programs send. */
import { readFileSync } from 'node:fs';
import { octets } from './fuzz-target.ts';

const data = 'test/data';

function json(name: string): never {
  return JSON.parse(readFileSync(`${data}/${name}`, 'utf8')) as never;
}

const { messages }: { messages: readonly { file: string; wire?: string }[] } = json('sip-torture/index.json');

export const tortureMessages: readonly Uint8Array[] = messages.map(({ file, wire }) =>
  readFileSync(`${data}/sip-torture/${wire ?? file}`),
);

const description = [
  ...['v=0', 'o=- 1 1 IN IP4 192.0.2.8', 's=-', 'c=IN IP4 192.0.2.8', 't=0 0', 'a=group:BUNDLE a'],
  ...['m=audio 49170/1 RTP/AVP 0 97', 'a=rtpmap:97 iLBC/8000', 'a=curr:qos local none', 'a=sendrecv'],
  ...['a=curr:qos remote none', 'a=des:qos mandatory local sendrecv', 'a=conf:qos remote sendrecv'],
  ...['a=rtcp:49171 IN IP4 192.0.2.9', 'a=ice-ufrag:x', 'a=candidate:1 1 UDP 1 192.0.2.8 49170 typ host'],
  ...['m=video 0 RTP/AVP 31', 'c=IN IP6 2001:db8::1', 'm=message 2855 TCP/MSRP *', 'a=setup:actpass'],
  ...['a=connection:new', ''],
].join('\r\n');

/** A call of the TRIM scenario: INVITE with a description, 183 with RSeq, PRACK, a REGISTER with credentials, a NOTIFY. */
export const sipMessages: readonly Uint8Array[] = [
  ...tortureMessages,
  ...[
    `INVITE sip:cn@home1.net SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.0.2:5060;branch=z9hG4bK1;rport\r\nMax-Forwards: 70\r\nRoute: <sip:10.2.0.1:5060;lr>, <sip:orig@scscf.home1.net;lr>\r\nFrom: "Mobile \\"Node\\"" <sip:mn@home1.net>;tag=a\r\nTo: <tel:+34-91-000;phone-context=home1.net>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\nContact: <sip:mn@10.1.0.2:5060>;+sip.instance="<urn:uuid:1>"\r\nSupported: 100rel, timer, replaces\r\nRequire: precondition\r\nSession-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\nAllow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE\r\nReplaces: c0;to-tag=t;from-tag=f\r\nP-Asserted-Identity: <sip:mn@home1.net>, <tel:+3491>\r\nContent-Type: application/sdp\r\nContent-Length: ${description.length}\r\n\r\n${description}`,
    'SIP/2.0 183 Session Progress\r\nv: SIP/2.0/UDP 10.1.0.2;received=10.1.0.9;rport=5061;branch=z9hG4bK1\r\nRecord-Route: <sip:10.2.0.1;lr>,<sip:scscf.home1.net:6060;lr>\r\nf: <sip:mn@home1.net>;tag=a\r\nt: <tel:+3491>;tag=b\r\ni: c1\r\nCSeq: 1 INVITE\r\nm: <sip:cn@[2001:db8::1]:5060;transport=tcp>\r\nRequire: 100rel\r\nRSeq: 1\r\nl: 0\r\n\r\n',
    'PRACK sip:cn@10.3.0.2 SIP/2.0\r\nVia: SIP/2.0/TCP 10.1.0.2;branch=z9hG4bK2\r\nFrom: <sip:mn@home1.net>;tag=a\r\nTo: <tel:+3491>;tag=b\r\nCall-ID: c1\r\nCSeq: 2 PRACK\r\nRAck: 1 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n',
    'REGISTER sip:home1.net SIP/2.0\r\nVia: SIP/2.0/TLS ue.home1.net;branch=z9hG4bK3;keep\r\nFrom: <sip:mn@home1.net>;tag=r\r\nTo: <sip:mn@home1.net>\r\nCall-ID: r1\r\nCSeq: 7 REGISTER\r\nMax-Forwards: 70\r\nPath: <sip:pcscf.visited.net;lr;ob>\r\nContact: <sip:mn@10.1.0.2>;expires=600;q=0.5;reg-id=1, <sip:mn@10.1.0.3>;expires=0\r\nAuthorization: Digest username="mn@home1.net", realm="home1.net", nonce="bm9uY2U=", uri="sip:home1.net", response="0123456789abcdef0123456789abcdef", algorithm=AKAv1-MD5, cnonce="c", qop=auth, nc=00000001, opaque="o", auts="YXV0cw=="\r\nExpires: 600000\r\nContent-Length: 0\r\n\r\n',
    'SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP 10.1.0.2;branch=z9hG4bK3\r\nFrom: <sip:mn@home1.net>;tag=r\r\nTo: <sip:mn@home1.net>;tag=s\r\nCall-ID: r1\r\nCSeq: 7 REGISTER\r\nWWW-Authenticate: Digest realm="home1.net", nonce="n", algorithm=MD5, qop="auth,auth-int", stale=TRUE, opaque="", ck="00", ik="11"\r\nService-Route: <sip:orig@scscf.home1.net;lr>\r\nRetry-After: 18;duration=3600\r\nContent-Length: 0\r\n\r\n',
    'NOTIFY sip:mn@10.1.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK4\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: n\r\nCSeq: 3 NOTIFY\r\nEvent: reg;id=1\r\nSubscription-State: active;expires=600\r\nContent-Type: application/reginfo+xml\r\nContent-Length: 13\r\n\r\n<reginfo/>abc',
  ].map(octets),
];

export const sessionDescriptions: readonly Uint8Array[] = [
  octets(description),
  octets(
    'v=0\no=a 1 18446744073709551615 IN IP6 ::1\ns= \nm=audio 9 TCP 0\nc=IN IP4 224.2.1.1/127/3\na=setup:active',
  ),
  ...tortureMessages.flatMap((message) => {
    const at = Buffer.from(message).indexOf('v=0');
    return at < 0 ? [] : [message.subarray(at)];
  }),
];

const samples: Readonly<Record<string, string>> = json('diameter-samples.json');
export const diameterMessages: readonly Uint8Array[] = Object.values(samples).map((hex) =>
  Buffer.from(hex, 'hex'),
);

const { vectors }: { vectors: readonly { hex: string }[] } = json('mobile-ip-vectors.json');
export const mobileIpMessages: readonly Uint8Array[] = vectors.map(({ hex }) => Buffer.from(hex, 'hex'));
