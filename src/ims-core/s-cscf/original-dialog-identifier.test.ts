import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMalformed } from '../../base/malformed.ts';
import { parseSipUri, type SipUri } from '../../protocols/sip/message/sip-uri.ts';
import {
  formatOriginalDialogIdentifier,
  type OriginalDialogIdentifier,
  parseOriginalDialogIdentifier,
} from './original-dialog-identifier.ts';

const own = { address: '192.0.2.3', port: 5060 };

function uri(text: string): SipUri {
  const parsed = parseSipUri(text);
  assert.ok(!isMalformed(parsed), String(parsed));
  return parsed;
}

test('formatOriginalDialogIdentifier writes the form of Kamailio, in brackets', () => {
  const mark = { priority: 2, sessionCase: 'terminating-registered', servedUser: 'sip:a@b' } as const;
  assert.equal(
    formatOriginalDialogIdentifier(mark, own),
    '<sip:iscmark@192.0.2.3:5060;lr;s=2;d=1;a=7369703a614062>',
  );
});

test('parseOriginalDialogIdentifier reads back what was written', () => {
  const mark: fc.Arbitrary<OriginalDialogIdentifier> = fc.record(
    {
      priority: fc.nat(999_999_999),
      sessionCase: fc.constantFrom('originating', 'terminating-registered', 'terminating-unregistered'),
      servedUser: fc.string({ minLength: 1, unit: 'binary-ascii' }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(mark, (value) => {
      const text = formatOriginalDialogIdentifier(value, own).slice(1, -1);
      assert.deepEqual(parseOriginalDialogIdentifier(uri(text)), value);
    }),
    { seed: 24229 },
  );
});

test('parseOriginalDialogIdentifier takes nothing else for a mark', () => {
  for (const text of [
    'sip:orig@192.0.2.3:5060;lr',
    'sip:iscmark@192.0.2.3;lr',
    'sip:iscmark@192.0.2.3;lr;s=1;d=4;a=61',
    'sip:iscmark@192.0.2.3;lr;s=x;d=1;a=61',
    'sip:iscmark@192.0.2.3;lr;s=1;d=1;a=6',
    'sip:other@192.0.2.3;lr;s=1;d=1;a=61',
  ]) {
    assert.equal(parseOriginalDialogIdentifier(uri(text)), undefined, text);
  }
});
