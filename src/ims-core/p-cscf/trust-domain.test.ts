import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SipRequest } from '../../protocols/sip/message/sip-message.ts';
import { enterTrustDomain, leaveTrustDomain } from './trust-domain.ts';

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
  enterTrustDomain(request);
  assert.deepEqual(
    request.headers.entries().map(([name]) => name),
    ['P-Access-Network-Info', 'P-Early-Media'],
  );
});

test('leaveTrustDomain hides charging, and who called when privacy was asked for', () => {
  const fields = [
    ['P-Asserted-Identity', '<sip:cn@home1.net>'],
    ['P-Charging-Vector', 'icid-value=1'],
  ] as const;
  const open = message(fields);
  leaveTrustDomain(open);
  assert.deepEqual(open.headers.entries(), [['P-Asserted-Identity', '<sip:cn@home1.net>']]);
  const secret = message([...fields, ['Privacy', 'header; id']]);
  leaveTrustDomain(secret);
  assert.deepEqual(secret.headers.entries(), [['Privacy', 'header; id']]);
});
