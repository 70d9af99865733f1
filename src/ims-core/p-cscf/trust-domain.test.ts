import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { enterTrustDomain, hideKeys, leaveTrustDomain } from './trust-domain.ts';

function message(fields: readonly (readonly [string, string])[]): SipRequest {
  const request = new SipRequest('INVITE', 'sip:cn@home1.net');
  for (const [name, value] of fields) request.headers.append(name, value);
  return request;
}

test('enterTrustDomain takes out what only the network may say, and leaves the rest', () => {
  const request = message([
    ['P-Asserted-Identity', '<sip:boss@home1.net>'],
    ['P-Charging-Vector', 'icid-value=1'],
    ['P-Access-Network-Info', 'IEEE-802.11'],
    ['P-Served-User', '<sip:boss@home1.net>'],
    ['Path', '<sip:evil;lr>'],
    ['P-Early-Media', 'supported'],
  ]);
  enterTrustDomain(request, undefined);
  assert.deepEqual(
    request.headers.entries().map(([name]) => name),
    ['P-Access-Network-Info', 'P-Early-Media'],
  );
});

test('enterTrustDomain lets a user say where he is, but not that the network says so', () => {
  const request = message([
    ['P-Access-Network-Info', 'IEEE-802.11, 3GPP-UTRAN-FDD ; Network-Provided;utran-cell-id-3gpp=1'],
    ['P-Access-Network-Info', 'ADSL;network-provided'],
  ]);
  enterTrustDomain(request, 'IEEE-802.11;i-wlan-node-id=001122334455;network-provided');
  assert.deepEqual(request.headers.getAll('P-Access-Network-Info'), [
    'IEEE-802.11',
    'IEEE-802.11;i-wlan-node-id=001122334455;network-provided',
  ]);
});

test('leaveTrustDomain hides charging and where the other end is, and who called when privacy was asked for', () => {
  const fields = [
    ['P-Asserted-Identity', '<sip:cn@home1.net>'],
    ['P-Charging-Vector', 'icid-value=1'],
    ['P-Access-Network-Info', '3GPP-UTRAN-FDD;utran-cell-id-3gpp=1'],
  ] as const;
  const open = message(fields);
  leaveTrustDomain(open);
  assert.deepEqual(open.headers.entries(), [['P-Asserted-Identity', '<sip:cn@home1.net>']]);
  const secret = message([...fields, ['Privacy', 'header; id']]);
  leaveTrustDomain(secret);
  assert.deepEqual(secret.headers.entries(), [['Privacy', 'header; id']]);
});

test('hideKeys takes out the keys of IMS AKA wherever they stand in the challenge, and leaves the rest', () => {
  for (const [challenge, shown] of [
    ['Digest realm="r", nonce="n", ck="00", ik="11"', 'Digest realm="r", nonce="n"'],
    ['Digest realm="r",ik = 11,CK=\t"00" , nonce="n"', 'Digest realm="r" , nonce="n"'],
    ['Digest ck="00", ik="11", realm="r"', 'Digest realm="r"'],
    [`Digest realm="r",${' '.repeat(60_000)}nonce="n"`, `Digest realm="r",${' '.repeat(60_000)}nonce="n"`],
  ] as const) {
    const response = new SipResponse(401, 'Unauthorized');
    response.headers.append('WWW-Authenticate', challenge);
    hideKeys(response);
    assert.equal(response.headers.get('WWW-Authenticate'), shown);
  }
});
