import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { criterion, ImsCoreLab, method } from './ims-core-lab.ts';

const subscriber = { publicIdentity: 'sip:mn@home1.net', password: 'secret', criteria: '' };
const iscMark = '<sip:iscmark@10.0.1.3:5060;lr;s=0;d=0;a=7369703a6d6e40686f6d65312e6e6574>';

/** What reaches a CSCF from a terminal, from another CSCF, from an application server. */
const messages: readonly string[] = [
  'REGISTER sip:home1.net SIP/2.0\r\nContact: <sip:ue@10.0.9.9>;expires=60;+sip.instance="<urn:x>";reg-id=1\r\nPath: <sip:a;lr;ob>\r\nSupported: path, outbound\r\nAuthorization: Digest username="mn@home1.net",realm="home1.net",nonce="",uri="sip:home1.net",response=""\r\n',
  'REGISTER sip:home1.net SIP/2.0\r\nContact: *\r\nExpires: 0\r\nRequire: path\r\n',
  'INVITE sip:mn@home1.net SIP/2.0\r\nContact: <sip:ue@10.0.9.9>\r\nRoute: <sip:orig@10.0.1.3:5060;lr>\r\nP-Asserted-Identity: <sip:mn@home1.net>\r\nP-Preferred-Identity: "x" <sip:a@b>\r\nPrivacy: id\r\n',
  `INVITE sip:mn@home1.net SIP/2.0\r\nRoute: ${iscMark}\r\nP-Served-User: <sip:mn@home1.net>;sescase=orig\r\n`,
  'BYE sip:ue@10.0.0.10 SIP/2.0\r\nRoute: <sip:mo@10.0.1.1;lr>, <sip:mt@10.0.1.3;lr>\r\n',
  'SUBSCRIBE tel:+34910 SIP/2.0\r\nEvent: reg;id=1\r\nContact: <sip:ue@10.0.9.9>\r\n',
];

function complete(message: string, number: number): string {
  const name = message.slice(0, message.indexOf(' '));
  const tag = name === 'BYE' ? ';tag=2' : '';
  return (
    `${message}Via: SIP/2.0/UDP 10.0.9.9;branch=z9hG4bK${number}\r\nFrom: <sip:mn@home1.net>;tag=1\r\n` +
    `To: <sip:mn@home1.net>${tag}\r\nCall-ID: fuzz${number}\r\nCSeq: 1 ${name}\r\nMax-Forwards: 9\r\n\r\n`
  );
}

test('IMS core: no message to any CSCF, however damaged, stops it from serving the next user', () => {
  const core = new ImsCoreLab({ subscribers: [{ ...subscriber, criteria: criterion(0, method('INVITE')) }] });
  const damage = fc.record({
    message: fc.constantFrom(...messages),
    at: fc.nat(500),
    length: fc.nat(12),
    filling: fc.string({
      unit: fc.constantFrom('<', '>', ';', ',', ':', '@', '"', '\r\n', ' ', '=', '0', 'a', '*', '\x00'),
      maxLength: 6,
    }),
    address: fc.constantFrom('10.0.1.1', '10.0.1.2', '10.0.1.3'),
  });
  let number = 0;
  fc.assert(
    fc.property(damage, ({ message, at, length, filling, address }) => {
      number += 1;
      const text = complete(message, number);
      core.inject(address, text.slice(0, at) + filling + text.slice(at + length));
      core.run(20);
    }),
    { seed: 4475, numRuns: 1_500 },
  );
  core.run(200_000);
  const mn = core.user({ identity: 'sip:mn@home1.net', password: 'secret', address: '10.0.0.10', seed: 10 });
  mn.register(core.now);
  core.run(2_000);
  assert.equal(mn.responses.at(-1)!.statusCode, 200);
});

test('IMS core: functions that stop take leave of the HSS', () => {
  const core = new ImsCoreLab({ subscribers: [subscriber] });
  core.stop();
  const mn = core.user({ identity: 'sip:mn@home1.net', password: 'secret', address: '10.0.0.10', seed: 10 });
  mn.register(core.now);
  core.run(100);
  assert.equal(mn.responses.at(-1)!.statusCode, 504, 'nobody is left to ask');
});
