/**
 * Attended transfer (RFC 5589 §7) through the application server and the mobile node's handover manager, which each know a dialog by two names:
 * Replaces in Refer-To and in an INVITE names it as the one knows it who gets the message.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ladderArrows } from '../../src/observation/message-ladder.ts';
import type { LegView } from '../../src/protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import { formatReplaces } from '../../src/protocols/sip/message/replaces.ts';
import { audio, ChangeableCall, description } from './changeable-call.ts';
import { ScriptedPhone } from './scripted-phone.ts';

const carolUri = 'sip:carol@203.0.113.2:5064';
const forms = ['shared', 'per-access'] as const;

for (const proxyCscfs of forms) {
  test(`transfer: the mobile node's telephone joins its two peers; they talk, and it is out of both calls (${proxyCscfs} P-CSCF)`, () => {
    const { call, carol, perform } = withCarol(proxyCscfs);
    const { phone, correspondent } = call;
    call.perform('phone', (now) => phone.call(carolUri, description('phone', audio()), now));
    call.run(1000);
    // After a move the dialogs have other names on the network's side.
    call.lab.mobile.setAccess('wlan', true);
    call.run(3000);
    const [first, second] = phone.calls;
    const referTo = transferTo(call, carolUri, phone.dialogOf(second!)!, (value) =>
      call.perform('phone', (now) => phone.request('REFER', '', now, first, [['Refer-To', value]])),
    );
    assert.equal(phone.statusCodes.at(-1), 200);
    assert.equal(referTo.uri, carolUri);
    assert.equal(referTo.replaces, nameFor(carol.dialogOf(carol.calls[0]!)!));
    carol.answer = description('correspondent', audio());
    const headers = [
      ['Replaces', referTo.replaces],
      ['Require', 'replaces'],
    ] as const;
    call.perform('correspondent', (now) =>
      correspondent.call(referTo.uri, description('correspondent', audio()), now, headers),
    );
    call.run(1000);
    assert.equal(correspondent.statusCodes.at(-1), 200);
    assert.equal(phone.dialogOf(second!), undefined, 'the call of the phone with Carol has ended');
    call.perform('correspondent', (now) => correspondent.hangUp(now, correspondent.calls[0]));
    call.run(1000);
    assert.equal(phone.dialogOf(first!), undefined);
    assert.equal(call.lab.trimApplicationServer.sessionCount, 0);
    perform((now) => carol.request('INFO', '', now));
    call.run(1000);
    assert.equal(carol.statusCodes.at(-1), 200, 'Carol and the correspondent talk');
  });

  test(`transfer: the correspondent joins Carol with the mobile node, whose telephone takes her in place of him (${proxyCscfs} P-CSCF)`, () => {
    const { call, carol, perform } = withCarol(proxyCscfs);
    const { phone, correspondent } = call;
    call.lab.mobile.setAccess('wlan', true);
    call.run(3000);
    const replaces = nameFor(correspondent.dialogOf(correspondent.calls[0]!)!, 'of the peer');
    phone.answer = description('phone', audio());
    const before = call.lab.trace.length;
    perform((now) =>
      carol.call('sip:bob@ims.test', description('correspondent', audio()), now, [['Replaces', replaces]]),
    );
    call.run(2000);
    assert.deepEqual(carol.statusCodes, [200]);
    const proxy = proxyCscfs === 'shared' ? 'p-cscf' : 'p-cscf-2';
    assert.deepEqual(invitesAndByes(call, before), [
      ...['INVITE: carol > i-cscf', 'INVITE: i-cscf > s-cscf', 'INVITE: s-cscf > trim-as'],
      ...['INVITE: trim-as > s-cscf', `INVITE: s-cscf > ${proxy}`, `INVITE: ${proxy} > mn`],
      'INVITE: mn > phone',
      ...['BYE: phone > mn', `BYE: mn > ${proxy}`, `BYE: ${proxy} > s-cscf`, 'BYE: s-cscf > trim-as'],
      ...['BYE: trim-as > s-cscf', 'BYE: s-cscf > p-cscf', 'BYE: p-cscf > cn'],
    ]);
    assert.deepEqual([phone.isEnded, correspondent.isEnded], [false, true]);
    assert.equal(call.lab.trimApplicationServer.sessionCount, 1);
    call.perform('phone', (now) => phone.request('INFO', '', now));
    call.run(1000);
    assert.equal(phone.statusCodes.at(-1), 200, 'the mobile node and Carol talk');
  });

  test(`transfer: the mobile node's telephone is sent to Carol; a dialog that nobody on the way knows keeps its name (${proxyCscfs} P-CSCF)`, () => {
    const { call, carol, perform } = withCarol(proxyCscfs);
    const { phone, correspondent } = call;
    call.perform('correspondent', (now) =>
      correspondent.call(carolUri, description('correspondent', audio()), now),
    );
    call.run(1000);
    const [first, second] = correspondent.calls;
    const referTo = transferTo(call, carolUri, correspondent.dialogOf(second!)!, (value) =>
      call.perform('correspondent', (now) =>
        correspondent.request('REFER', '', now, first, [['Refer-To', value]]),
      ),
    );
    assert.equal(referTo.replaces, nameFor(carol.dialogOf(carol.calls[0]!)!));
    carol.answer = description('correspondent', audio());
    call.perform('phone', (now) =>
      phone.call(carolUri, description('phone', audio()), now, [['Replaces', referTo.replaces]]),
    );
    call.run(1000);
    assert.equal(phone.statusCodes.at(-1), 200);
    assert.equal(correspondent.dialogOf(second!), undefined);
    perform((now) => carol.request('INFO', '', now));
    call.run(1000);
    assert.equal(carol.statusCodes.at(-1), 200, 'Carol and the mobile node talk');
  });
}

/** Of another network: she is reached by her address, and reaches the home network by its I-CSCF. */
function withCarol(proxyCscfs: (typeof forms)[number]) {
  const call = new ChangeableCall({ proxyCscfs, withReservation: false });
  const carol = new ScriptedPhone({
    sip: { address: '203.0.113.2', port: 5064 },
    proxy: { address: '10.10.0.12', port: 5060 },
    identity: {
      publicIdentity: carolUri,
      privateIdentity: 'carol@elsewhere.test',
      password: '',
      homeDomain: 'elsewhere.test',
    },
    random: call.lab.network.newRandomSource(),
  });
  carol.answer = description('correspondent', audio());
  const process = call.lab.correspondentHost.run<never, never, never>({ machine: carol, name: 'carol' });
  process.perform((now) => carol.start(now));
  call.run(100);
  carol.statusCodes.length = 0;
  const perform = (request: (now: number) => void): void => process.perform(request);
  return { call, carol, perform };
}

/** Sends the REFER, and gives what its Refer-To says where it arrives. */
function transferTo(
  call: ChangeableCall,
  target: string,
  dialog: LegView,
  refer: (referTo: string) => void,
): { readonly uri: string; readonly replaces: string } {
  const arrived: string[] = [];
  call.lab.network.onPacket = ({ content }) => {
    const text = content.protocol === 'udp' ? Buffer.from(content.payload).toString('latin1') : '';
    const value = text.startsWith('REFER ') ? /^Refer-To: *<([^>]*)>/im.exec(text)?.[1] : undefined;
    if (value !== undefined) arrived.push(value);
  };
  refer(`<${target}?Replaces=${encodeURIComponent(nameFor(dialog, 'of the peer'))}>`);
  call.run(1000);
  const [uri = '', replaces = ''] = arrived.at(-1)!.split('?Replaces=');
  return { uri, replaces: decodeURIComponent(replaces) };
}

/** Replaces that names the dialog for its owner, or for his peer. */
function nameFor({ callId, localTag, remoteTag }: LegView, whose = 'of the owner'): string {
  const [toTag, fromTag] = whose === 'of the peer' ? [remoteTag, localTag] : [localTag, remoteTag];
  return formatReplaces({ callId, toTag, fromTag, earlyOnly: false });
}

function invitesAndByes(call: ChangeableCall, from: number): string[] {
  const nodes = ['phone', 'mn', 'p-cscf', 'p-cscf-2', 'i-cscf', 's-cscf', 'trim-as', 'cn', 'carol'];
  const entries = call.lab.trace.slice(from).filter(({ summary }) => /^(?:INVITE|BYE)/.test(summary));
  return ladderArrows(entries, { nodes, label: ({ summary }) => summary.split(' ')[0]! }).map(
    ({ label, from: sender, to }) => `${label}: ${sender} > ${to}`,
  );
}
