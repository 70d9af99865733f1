import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TraceEntry } from '../base/trace.ts';
import { formatLadder } from './message-ladder.ts';

const [mobileNode, proxy, server] = ['10.0.0.2:5060', '10.0.0.1:5060', '10.0.0.1:5080'];

test('formatLadder draws each message once, where it was sent, in order of time', () => {
  const entries = [
    entry(12, 'p', 'received', mobileNode, proxy, 'INVITE sip:bob@home'),
    entry(2, 'mn', 'sent', mobileNode, proxy, 'INVITE sip:bob@home'),
    entry(13, 'p', 'sent', proxy, server, 'INVITE sip:bob@home'),
    entry(14, 's', 'received', proxy, server, 'INVITE sip:bob@home'),
    entry(15, 's', 'sent', server, proxy, '200 OK (INVITE)'),
    entry(16, 'p', 'received', server, proxy, '200 OK (INVITE)'),
    entry(17, 'p', 'sent', proxy, mobileNode, '200 OK (CANCEL)'),
    entry(18, 'mn', 'received', proxy, mobileNode, '200 OK (CANCEL)'),
    entry(19, 'mn', 'sent', mobileNode, server, 'a message of many words'),
    entry(20, 's', 'received', mobileNode, server, 'a message of many words'),
  ];
  assert.deepEqual(formatLadder(entries, { nodes: ['mn', 'p', 's'], width: 60 }), [
    '         mn                   p                   s',
    '          │──────INVITE──────▶│                   │',
    '          │                   │──────INVITE──────▶│',
    '          │                   │◀──────200 OK──────│',
    '          │◀─200 OK (CANCEL)──│                   │',
    '          │───────a message of many words────────▶│',
  ]);
});

test('formatLadder marks a message that never arrived and counts its retransmission apart', () => {
  const entries = [
    entry(0, 'mn', 'sent', mobileNode, proxy, 'BYE sip:bob@home'),
    entry(500, 'mn', 'sent', mobileNode, proxy, 'BYE sip:bob@home'),
    entry(510, 'p', 'sent', proxy, mobileNode, '200 OK (BYE)'),
  ];
  assert.deepEqual(formatLadder(entries, { nodes: ['mn', 'p'], width: 50 }).slice(1), [
    '            │──────────BYE──────────x│',
    '            │──────────BYE──────────x│',
    '            │x─────200 OK (BYE)──────│',
  ]);
});

test('formatLadder knows a message behind address translation for the same one, and its answer for the sender’s', () => {
  const translated = '192.0.2.9:40000';
  const entries = [
    entry(0, 'mn', 'sent', mobileNode, proxy, 'OPTIONS sip:bob@home'),
    entry(9, 'p', 'received', translated, proxy, 'OPTIONS sip:bob@home'),
    entry(10, 'p', 'sent', proxy, translated, '200 OK (OPTIONS)'),
    entry(19, 'mn', 'received', proxy, mobileNode, '200 OK (OPTIONS)'),
    entry(20, 'mn', 'sent', mobileNode, proxy, 'BYE sip:bob@home'),
  ];
  assert.deepEqual(formatLadder(entries, { nodes: ['mn', 'p'], width: 50 }).slice(1), [
    '            │────────OPTIONS────────▶│',
    '            │◀───200 OK (OPTIONS)────│',
    '            │──────────BYE──────────x│',
  ]);
});

test('formatLadder shows nodes that record nothing, by what others tell of them', () => {
  const phone = '10.64.0.9:5060';
  const entries = [
    entry(0, 'mn', 'received', phone, mobileNode, 'INVITE sip:bob@home'),
    entry(1, 'mn', 'sent', mobileNode, phone, '100 Trying (INVITE)'),
    entry(2, 'mn', 'sent', mobileNode, '10.9.9.9:5060', 'OPTIONS sip:nobody'),
  ];
  const owners = new Map([['10.64.0.9', 'phone']]);
  assert.deepEqual(formatLadder(entries, { nodes: ['phone', 'mn'], owners, width: 40 }).slice(1), [
    '          │──────INVITE──────▶│',
    '          │◀────100 Trying────│',
  ]);
});

test('formatLadder draws a message of a node to itself beside its line, within the width', () => {
  const itself = (node: string, address: string | undefined) => [
    entry(0, node, 'sent', address, address, 'ACK sip:bob@home'),
    entry(1, node, 'received', address, address, 'ACK sip:bob@home'),
  ];
  const entries = [...itself('mn', mobileNode), ...itself('p', proxy)];
  assert.deepEqual(formatLadder(entries, { nodes: ['mn', 'p'], width: 24 }).slice(1), [
    '      │↩ ACK      │',
    '      │      ↩ ACK│',
  ]);
});

test('formatLadder cuts a label that does not fit', () => {
  const entries = [entry(0, 'mn', 'sent', mobileNode, proxy, '420 Bad Extension, which one')];
  const owners = new Map([[proxy, 'p']]);
  assert.deepEqual(formatLadder(entries, { nodes: ['mn', 'p'], owners, width: 30 }).slice(1), [
    '       │─420 Bad Ex…─▶│',
  ]);
});

function entry(
  at: number,
  node: string,
  direction: 'sent' | 'received',
  from: string | undefined,
  to: string | undefined,
  summary: string,
): TraceEntry {
  assert.ok(from !== undefined && to !== undefined);
  return { at, node, direction, protocol: 'sip', transport: 'udp', from, to, summary, details: {} };
}
