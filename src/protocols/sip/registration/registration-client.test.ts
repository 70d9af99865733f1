import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../../base/random-source.ts';
import { createResponse } from '../message/create-response.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import { RegistrationClient, type RegistrationOutcome } from './registration-client.ts';

const contact = 'sip:bob@10.3.0.2:5060';

test('RegistrationClient: the first REGISTER names the private identity, the instance and the flow', () => {
  const request = newClient().register();
  assert.equal(request.requestUri, 'sip:ims.test');
  assert.match(request.headers.get('Authorization') ?? '', /username="bob@ims.test".*response=""/);
  assert.equal(
    request.headers.get('Contact'),
    `<${contact}>;+sip.instance="<urn:uuid:00000000-0000-4000-8000-000000000001>";reg-id=1;expires=600`,
  );
  assert.deepEqual(request.headers.getAll('Supported'), ['path', 'outbound']);
});

test('RegistrationClient: answers a challenge in the same series, and refreshes at half the time granted', () => {
  const client = newClient();
  const first = client.register();
  const outcome = client.handleResponse(challenge(first), 0);
  const second = repeated(outcome);
  assert.match(second.headers.get('Authorization') ?? '', /response="[0-9a-f]{32}"/);
  assert.equal(second.headers.get('Call-ID'), first.headers.get('Call-ID'));
  assert.equal(second.headers.get('CSeq'), '2 REGISTER');

  const ok = createResponse(second, 200);
  ok.headers.append('Contact', '<sip:bob@10.9.9.9>;expires=30');
  ok.headers.append('Contact', `<${contact}>;expires=540`);
  ok.headers.append('Service-Route', '<sip:orig@192.0.2.1:6060;lr>');
  assert.deepEqual(client.handleResponse(ok, 1000), {
    kind: 'registered',
    serviceRoute: ['<sip:orig@192.0.2.1:6060;lr>'],
    associatedIdentities: [],
  });
  assert.equal(client.pollTimeout()?.at, 1000 + 270_000);
});

test('RegistrationClient: a wrong password ends in a failure that is tried again later', () => {
  const client = newClient();
  const second = repeated(client.handleResponse(challenge(client.register()), 0));
  assert.deepEqual(client.handleResponse(challenge(second), 10), { kind: 'failed', statusCode: 401 });
  const at = client.pollTimeout()?.at ?? 0;
  assert.ok(at >= 10 + 15_000 && at <= 10 + 30_000, `retry at ${at}`);
});

test('RegistrationClient: takes the interval that the registrar asks for, and drops flows where the first hop lacks them', () => {
  const client = newClient();
  const brief = createResponse(client.register(), 423);
  brief.headers.set('Min-Expires', '3600');
  const longer = repeated(client.handleResponse(brief, 0));
  assert.equal(longer.headers.get('Expires'), '3600');
  const plain = repeated(client.handleResponse(createResponse(longer, 439), 0));
  assert.deepEqual(plain.headers.getAll('Supported'), ['path']);
  assert.doesNotMatch(plain.headers.get('Contact') ?? '', /reg-id/);
});

test('RegistrationClient: takes back its own contact only, and is done whatever the answer', () => {
  const client = newClient();
  client.handleResponse(createResponse(client.register(), 200), 0);
  assert.equal(client.isRegistered, true);
  const leaving = client.deregister();
  assert.match(leaving.headers.get('Contact') ?? '', /^<sip:bob@10.3.0.2:5060>.*;expires=0$/);
  assert.deepEqual(client.handleResponse(undefined, 5), { kind: 'deregistered' });
  assert.equal(client.isRegistered, false);
  assert.equal(client.pollTimeout(), undefined);
});

test('RegistrationClient: honours Retry-After', () => {
  const client = newClient();
  const busy = createResponse(client.register(), 503);
  busy.headers.set('Retry-After', '7 (overload)');
  assert.deepEqual(client.handleResponse(busy, 0), { kind: 'failed', statusCode: 503 });
  assert.equal(client.pollTimeout()?.at, 7000);
});

function newClient(): RegistrationClient {
  return new RegistrationClient({
    identity: {
      publicIdentity: 'sip:bob@ims.test',
      privateIdentity: 'bob@ims.test',
      password: 'secret',
      homeDomain: 'ims.test',
    },
    contact,
    flow: { instance: 'urn:uuid:00000000-0000-4000-8000-000000000001', regId: 1 },
    expiresSeconds: 600,
    random: new SeededRandomSource(1),
  });
}

function challenge(request: SipRequest): SipResponse {
  const response = createResponse(request, 401);
  response.headers.append(
    'WWW-Authenticate',
    'Digest realm="ims.test", nonce="n1", algorithm=MD5, qop="auth"',
  );
  return response;
}

function repeated(outcome: RegistrationOutcome | undefined): SipRequest {
  assert.equal(outcome?.kind, 'repeat');
  return outcome.request;
}
