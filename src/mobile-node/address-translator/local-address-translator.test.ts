import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LocalAccess, LocalBinding } from '../../translation/local-binding-table.ts';
import type { TranslationOperation } from '../../translation/translation-operation.ts';
import { LocalAddressTranslator } from './local-address-translator.ts';

const umts: LocalAccess = { index: 1, address: '10.3.0.2' };
const wlan: LocalAccess = { index: 2, address: '10.2.0.2' };
const wlan6: LocalAccess = { index: 2, address: '2001:db8:2::2' };
const audio: LocalBinding = {
  id: '7/0/media',
  protocol: 'udp',
  application: { address: '10.64.0.1', port: 40000 },
  peer: { address: '198.51.100.1', port: 20000 },
};

test('LocalAddressTranslator: a session is accepted over the new access before it leaves by it', () => {
  const translator = new LocalAddressTranslator();
  translator.setMedia('7', [audio], [umts]);
  translator.accept('7', wlan);
  translator.move('7', wlan);
  translator.dismiss('7', umts);
  const [installed, accepted, moved, dismissed] = drain(translator);
  assert.deepEqual(keysOf(installed), ['select 198.51.100.1 > 10.3.0.2', 'select 10.64.0.1 > 198.51.100.1']);
  assert.deepEqual(keysOf(accepted), ['select 198.51.100.1 > 10.2.0.2']);
  assert.deepEqual(keysOf(moved), ['select 10.64.0.1 > 198.51.100.1']);
  assert.deepEqual(keysOf(dismissed), ['deselect 198.51.100.1 > 10.3.0.2']);
});

test('LocalAddressTranslator: an access of the other version of IP waits for the place at which the peer is reached there', () => {
  const translator = new LocalAddressTranslator();
  const reached = { ...audio, remote: { address: '2001:db8:f::1', port: 20002 } };
  translator.setMedia('7', [audio], [umts]);
  drain(translator);
  translator.accept('7', wlan6);
  translator.move('7', wlan6);
  assert.deepEqual(drain(translator), []);
  assert.deepEqual(translator.downlinkFlows('7', wlan6), []);
  translator.accept('7', wlan6, [reached]);
  translator.move('7', wlan6, [reached]);
  const [accepted, moved] = drain(translator);
  assert.deepEqual(keysOf(accepted), ['select 2001:db8:f::1 > 2001:db8:2::2']);
  assert.deepEqual(keysOf(moved), ['select 10.64.0.1 > 198.51.100.1']);
  translator.setMedia('7', [reached], [wlan6]);
  assert.deepEqual(drain(translator), []);
  translator.setMedia('7', [audio], [umts]);
  assert.deepEqual(keysOf(drain(translator)[0]), ['select 10.64.0.1 > 198.51.100.1'], 'back where it was');
});

test('LocalAddressTranslator: media that stay the same are not touched when the session changes', () => {
  const translator = new LocalAddressTranslator();
  translator.setMedia('7', [audio], [umts]);
  drain(translator);
  translator.setMedia(
    '7',
    [audio, { ...audio, id: '7/1/media', peer: { address: '198.51.100.1', port: 20002 } }],
    [umts],
  );
  assert.equal(
    drain(translator)
      .flat()
      .filter(({ kind }) => kind === 'select-version').length,
    2,
  );
  translator.setMedia('7', [audio], [umts]);
  assert.equal(
    drain(translator)
      .flat()
      .filter(({ kind }) => kind === 'deselect').length,
    2,
  );
});

test('LocalAddressTranslator: releasing a session leaves nothing to release', () => {
  const translator = new LocalAddressTranslator();
  translator.setMedia('7', [audio], [umts, wlan]);
  drain(translator);
  translator.release('7');
  assert.equal(
    drain(translator)
      .flat()
      .filter(({ kind }) => kind === 'deselect').length,
    3,
  );
  translator.release('7');
  assert.deepEqual(drain(translator), []);
});

test('LocalAddressTranslator: names the flows whose first packet shows that an access works', () => {
  const translator = new LocalAddressTranslator();
  translator.setMedia('7', [audio], [umts]);
  assert.deepEqual(
    translator.downlinkFlows('7', wlan).map(({ source, destination }) => [source, destination]),
    [['198.51.100.1', '10.2.0.2']],
  );
});

function drain(translator: LocalAddressTranslator): TranslationOperation[][] {
  const transactions: TranslationOperation[][] = [];
  for (let next = translator.pollTransaction(); next; next = translator.pollTransaction())
    transactions.push(next);
  return transactions;
}

function keysOf(operations: TranslationOperation[] | undefined): string[] {
  return (operations ?? []).flatMap((operation) =>
    operation.kind === 'select-version' || operation.kind === 'deselect'
      ? [`${operation.kind.split('-')[0]} ${operation.key.source} > ${operation.key.destination}`]
      : [],
  );
}
