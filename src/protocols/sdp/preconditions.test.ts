import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../base/malformed.ts';
import {
  answerPreconditions,
  arePreconditionsMet,
  invertPreconditions,
  type Preconditions,
  preconditionsOf,
  withPreconditions,
} from './preconditions.ts';
import { linesOf, type MediaDescription, parseMediaDescription } from './session-description.ts';

/** TRIM fig. 4, message 2: what a mobile node offers. */
const offer = [
  'a=curr:qos local none',
  'a=curr:qos remote none',
  'a=des:qos mandatory local sendrecv',
  'a=des:qos none remote sendrecv',
];

test('answerPreconditions: inverts the offer, raises its own side, asks for confirmation (RFC 3312 §5.2, §6)', () => {
  assert.deepEqual(
    preconditionLines(answerPreconditions(read(offer), 'none')),
    [
      'a=curr:qos local none',
      'a=curr:qos remote none',
      'a=des:qos mandatory remote sendrecv',
      'a=des:qos mandatory local sendrecv',
      'a=conf:qos remote sendrecv',
    ].toSorted(),
  );
});

test('answerPreconditions: nothing is left to confirm once the offerer has its resources', () => {
  const updated = read(['a=curr:qos local sendrecv', ...offer.slice(1)]);
  const answer = answerPreconditions(updated, 'sendrecv');
  assert.equal(answer.confirm.size, 0);
  assert.equal(arePreconditionsMet(answer), true);
});

test('answerPreconditions: an end-to-end status is confirmed, not decided alone', () => {
  const answer = answerPreconditions(
    read(['a=curr:qos e2e none', 'a=des:qos mandatory e2e sendrecv']),
    'sendrecv',
  );
  assert.deepEqual(preconditionLines(answer), [
    'a=conf:qos e2e sendrecv',
    'a=curr:qos e2e none',
    'a=des:qos mandatory e2e sendrecv',
  ]);
});

test('arePreconditionsMet: only mandatory ones count, and sendrecv covers both directions', () => {
  const isMet = (...lines: string[]): boolean => arePreconditionsMet(read(lines));
  assert.equal(isMet(...offer), false);
  assert.equal(isMet('a=curr:qos local none', 'a=des:qos optional local sendrecv'), true);
  assert.equal(isMet('a=curr:qos local sendrecv', 'a=des:qos mandatory local send'), true);
  assert.equal(isMet('a=curr:qos local send', 'a=des:qos mandatory local send'), true);
  assert.equal(isMet('a=curr:qos local send', 'a=des:qos mandatory local sendrecv'), false);
  assert.equal(isMet('a=curr:qos local recv', 'a=des:qos mandatory local send'), false);
  assert.equal(isMet('a=des:qos mandatory remote sendrecv'), false);
  assert.equal(isMet('a=des:qos mandatory remote none'), true);
});

test('invertPreconditions: twice gives the same again', () => {
  const preconditions = read(['a=curr:qos local send', 'a=des:qos optional remote recv']);
  assert.deepEqual(preconditionLines(invertPreconditions(preconditions)), [
    'a=curr:qos remote recv',
    'a=des:qos optional local send',
  ]);
  assert.deepEqual(invertPreconditions(invertPreconditions(preconditions)), preconditions);
});

test('preconditionsOf: lines outside the grammar are passed over', () => {
  assert.equal(preconditionsOf(mediaWith(['a=curr:sec e2e none', 'a=des:qos must local send'])), undefined);
});

test('withPreconditions: replaces in place and leaves other types alone', () => {
  const media = mediaWith(['a=first', ...offer, 'a=curr:sec e2e none', 'a=last']);
  const changed = withPreconditions(media, read(['a=curr:qos local sendrecv']));
  assert.deepEqual(linesOf(changed).slice(1), [
    'a=first',
    'a=curr:qos local sendrecv',
    'a=curr:sec e2e none',
    'a=last',
  ]);
  assert.deepEqual(linesOf(withPreconditions(changed, undefined)).slice(1), [
    'a=first',
    'a=curr:sec e2e none',
    'a=last',
  ]);
  assert.deepEqual(linesOf(withPreconditions(mediaWith([]), read(offer))).slice(1), offer);
});

function read(lines: readonly string[]): Preconditions {
  const preconditions = preconditionsOf(mediaWith(lines));
  assert.ok(preconditions !== undefined);
  return preconditions;
}

function preconditionLines(preconditions: Preconditions): string[] {
  return linesOf(withPreconditions(mediaWith([]), preconditions))
    .slice(1)
    .toSorted();
}

function mediaWith(lines: readonly string[]): MediaDescription {
  const media = parseMediaDescription(['m=audio 4000 RTP/AVP 0', ...lines, ''].join('\r\n'));
  assert.ok(!isMalformed(media));
  return media;
}
