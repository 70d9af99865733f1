import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnansweredProbes } from './unanswered-probes.ts';

test('UnansweredProbes: an access leads nowhere after so many misses in a row, when another answers what was sent later', () => {
  const probes = new UnansweredProbes(3);
  for (const sentAt of [0, 200, 400]) probes.unanswered('wlan', sentAt);
  probes.answered('umts', 400);
  assert.ok(probes.isAnswering('wlan'), 'both were sent at the same time');
  probes.answered('umts', 600);
  assert.ok(!probes.isAnswering('wlan'));
  assert.deepEqual(probes.pollEvent(), { access: 'wlan', isAnswering: false });
  assert.equal(probes.pollEvent(), undefined);
});

test('UnansweredProbes: one answer in between begins the count anew, and one afterwards ends it', () => {
  const probes = new UnansweredProbes(2);
  probes.answered('umts', 1000);
  probes.unanswered('wlan', 0);
  probes.answered('wlan', 200);
  probes.unanswered('wlan', 400);
  assert.ok(probes.isAnswering('wlan'));
  probes.unanswered('wlan', 600);
  assert.ok(!probes.isAnswering('wlan'));
  probes.answered('wlan', 800);
  assert.ok(probes.isAnswering('wlan'));
});

test('UnansweredProbes: when no access is answered, it is the home agent that is silent', () => {
  const probes = new UnansweredProbes(3);
  for (const access of ['wlan', 'umts']) probes.answered(access, 0);
  for (let sentAt = 200; sentAt < 5000; sentAt += 200)
    for (const access of ['wlan', 'umts']) probes.unanswered(access, sentAt);
  assert.ok(probes.isAnswering('wlan') && probes.isAnswering('umts'));
  assert.equal(probes.pollEvent(), undefined);
});

test('UnansweredProbes: an access that was lost begins anew', () => {
  const probes = new UnansweredProbes(1);
  probes.answered('umts', 1000);
  probes.unanswered('wlan', 0);
  assert.ok(!probes.isAnswering('wlan'));
  probes.forget('wlan');
  assert.ok(probes.isAnswering('wlan'));
});
