import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../../base/random-source.ts';
import { SipRequest, SipResponse } from '../message/sip-message.ts';
import { DigestClient } from './digest-client.ts';
import type { DigestAlgorithm } from './digest-fields.ts';
import { digestHa1 } from './digest-response.ts';
import { DigestServer, type DigestServerOptions, type DigestVerdict } from './digest-server.ts';

const realm = 'ims.test';

for (const algorithm of [
  'MD5',
  'MD5-sess',
  'SHA-256',
  'SHA-256-sess',
  'SHA-512-256',
  'SHA-512-256-sess',
] as const) {
  for (const qop of ['auth', 'auth-int'] as const) {
    test(`DigestClient and DigestServer: agree on ${algorithm} with ${qop}`, () => {
      const { client, server } = parties({ algorithms: [algorithm], qop: [qop] });
      const request = register();
      assert.equal(client.acceptChallenge(request, unauthorized(server.createChallenges(0))), true);
      client.authorize(request);
      assert.deepEqual(judge(server, request), { kind: 'accepted' });
    });
  }
}

test('DigestClient: takes the first algorithm it knows and answers each realm once', () => {
  const { client, server } = parties({ algorithms: ['SHA-256', 'MD5'] });
  const request = register();
  const foreign = 'Digest realm="proxy", nonce="p", algorithm=MD5, qop="auth"';
  const response = unauthorized([
    'Basic realm="x"',
    `Digest realm="${realm}", nonce="a", algorithm=AKAv1-MD5`,
    ...server.createChallenges(0),
  ]);
  response.headers.append('Proxy-Authenticate', foreign);
  assert.equal(client.acceptChallenge(request, response), true);
  client.authorize(request);
  assert.deepEqual(judge(server, request), { kind: 'accepted' });
  assert.match(request.headers.getAll('Authorization').join('|'), /^Digest [^|]*algorithm=SHA-256[^|]*$/);
  assert.match(request.headers.get('Proxy-Authorization') ?? '', /realm="proxy"/);
});

test('DigestClient: counts up under one nonce, so that later requests need no new challenge', () => {
  const { client, server } = parties({});
  client.acceptChallenge(register(), unauthorized(server.createChallenges(0)));
  for (let count = 1; count <= 3; count++) {
    const request = register();
    client.authorize(request);
    assert.match(request.headers.get('Authorization') ?? '', new RegExp(`nc=0000000${count}`));
    assert.deepEqual(judge(server, request), { kind: 'accepted' });
  }
});

test('DigestClient: gives up when a fresh nonce was answered and refused, not when the nonce was stale', () => {
  const { client, server } = parties({});
  const request = register();
  client.acceptChallenge(request, unauthorized(server.createChallenges(0)));
  client.authorize(request);
  assert.equal(client.acceptChallenge(request, unauthorized(server.createChallenges(0, true))), true);
  assert.equal(client.acceptChallenge(request, unauthorized(server.createChallenges(0))), false);
});

test('DigestClient: without a challenge that it can answer there is nothing to retry', () => {
  const { client } = parties({});
  const request = register();
  for (const value of ['Basic realm="x"', 'Digest realm="x"', 'Digest realm="x", nonce="n", qop="future"'])
    assert.equal(client.acceptChallenge(request, unauthorized([value])), false, value);
  client.authorize(request);
  assert.equal(request.headers.has('Authorization'), false);
});

test('DigestClient: answers a legacy challenge without qop as RFC 2617 has it', () => {
  const { client } = parties({});
  const request = register();
  client.acceptChallenge(request, unauthorized(['Digest realm="x", nonce="n"']));
  client.authorize(request);
  assert.doesNotMatch(request.headers.get('Authorization') ?? '', /qop|cnonce|nc=/);
});

test('DigestServer: a replayed nonce count is stale, an expired nonce too', () => {
  const { client, server } = parties({ nonceLifetimeMs: 1000 });
  const request = register();
  client.acceptChallenge(request, unauthorized(server.createChallenges(0)));
  client.authorize(request);
  assert.deepEqual(judge(server, request), { kind: 'accepted' });
  assert.deepEqual(judge(server, request), { kind: 'challenge', stale: true });
  client.authorize(request);
  assert.deepEqual(judge(server, request, 1001), { kind: 'challenge', stale: true });
});

test('DigestServer: a wrong password is refused, an unknown nonce challenged without "stale"', () => {
  const { server } = parties({});
  const client = new DigestClient('mn', 'wrong', new SeededRandomSource(9));
  const request = register();
  client.acceptChallenge(request, unauthorized(server.createChallenges(0)));
  client.authorize(request);
  assert.deepEqual(judge(server, request), { kind: 'refused' });
  client.acceptChallenge(register(), unauthorized([`Digest realm="${realm}", nonce="forged", qop="auth"`]));
  client.authorize(request);
  assert.deepEqual(judge(server, request), { kind: 'challenge', stale: false });
});

test('DigestServer: refuses what weakens the challenge: no qop, another algorithm, an unknown user', () => {
  const { client, server } = parties({ algorithms: ['SHA-256'] });
  const nonce = /nonce="([^"]*)"/.exec(server.createChallenges(0)[0] ?? '')?.[1];
  for (const challenge of [
    `Digest realm="${realm}", nonce="${nonce}", algorithm=SHA-256`,
    `Digest realm="${realm}", nonce="${nonce}", algorithm=MD5, qop="auth"`,
    `Digest realm="${realm}", nonce="${nonce}", algorithm=SHA-256, qop="auth-int"`,
  ]) {
    const request = register();
    client.acceptChallenge(request, unauthorized([challenge]));
    client.authorize(request);
    assert.deepEqual(judge(server, request), { kind: 'refused' }, challenge);
  }
  const request = register();
  client.acceptChallenge(request, unauthorized(server.createChallenges(0)));
  client.authorize(request);
  const credentials = server.credentialsOf(request, 'Authorization');
  assert.ok(credentials !== undefined);
  assert.deepEqual(
    server.verify(credentials, request, () => undefined, 0),
    { kind: 'refused' },
  );
});

test('DigestServer: the oldest nonce gives way when there are too many', () => {
  const { client, server } = parties({});
  const request = register();
  client.acceptChallenge(request, unauthorized(server.createChallenges(0)));
  client.authorize(request);
  for (let i = 0; i < 10_000; i++) server.createChallenges(0);
  assert.deepEqual(judge(server, request), { kind: 'challenge', stale: true });
});

test('DigestServer: finds its own realm among several credentials', () => {
  const { server } = parties({});
  const request = register();
  request.headers.append(
    'Authorization',
    'Digest username="u", realm="other", nonce="", uri="sip:x", response=""',
  );
  assert.equal(server.credentialsOf(request, 'Authorization'), undefined);
  request.headers.append(
    'Authorization',
    `Digest username="mn", realm="${realm}", nonce="", uri="sip:x", response=""`,
  );
  assert.equal(server.credentialsOf(request, 'Authorization')?.username, 'mn');
});

function parties(options: Partial<DigestServerOptions>): { client: DigestClient; server: DigestServer } {
  const random = new SeededRandomSource(1);
  return {
    client: new DigestClient('mn', 'secret', random),
    server: new DigestServer({ realm, algorithms: ['MD5'], random, ...options }),
  };
}

function register(): SipRequest {
  return new SipRequest('REGISTER', `sip:${realm}`, undefined, 'body');
}

function unauthorized(challenges: readonly string[]): SipResponse {
  const response = new SipResponse(401, 'Unauthorized');
  for (const challenge of challenges) response.headers.append('WWW-Authenticate', challenge);
  return response;
}

function judge(server: DigestServer, request: SipRequest, now = 0): DigestVerdict | undefined {
  const credentials = server.credentialsOf(request, 'Authorization');
  const ha1Of = (algorithm: DigestAlgorithm): string => digestHa1(algorithm, 'mn', realm, 'secret');
  return credentials && server.verify(credentials, request, ha1Of, now);
}
