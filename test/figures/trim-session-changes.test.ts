/**
 * Changes of a session from either side in virtual time, before, between and during handovers: hold and resume, another codec, streams
 * added and taken away. They pass through the TRIM AS; the translator's addresses stay what they were. Broken messages change nothing.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  audio,
  ChangeableCall,
  description,
  formOf,
  networks,
  otherOf,
  type Side,
  told,
  video,
} from './changeable-call.ts';

/** The last description that this side was told. */
function lastHeard(call: ChangeableCall, side: Side): string {
  return call[side].heard.at(-1) ?? '';
}

function assertStable(call: ChangeableCall): void {
  for (const side of ['phone', 'correspondent'] as const) {
    for (const body of call[side].heard) {
      assert.match(body, new RegExp(`c=IN IP4 ${told[side].replaceAll('.', '\\.')}\r\n`));
      assert.match(body, /m=audio 20000 /);
      assert.doesNotMatch(body, /10\.1\.0\.2|10\.2\.0\.2|10\.64\.0\.1|203\.0\.113\.2/, 'no other address');
    }
    const versions = call[side].heard.map((body) => Number(/o=\S+ \S+ (\d+)/.exec(body)?.[1]));
    assert.ok(
      versions.every((one, index) => index === 0 || one - versions[index - 1]! <= 1),
      `versions rise by one: ${versions}`,
    );
    assert.equal(call[side].isEnded, false);
  }
}

for (const form of networks.flatMap((network) => [
  { ...network, withReservation: false },
  { ...network, withReservation: true },
])) {
  const formText = formOf(form);

  for (const side of ['phone', 'correspondent'] as const) {
    test(`TRIM: hold, resume and another codec from the ${side} pass before and between handovers (${formText})`, () => {
      const call = new ChangeableCall(form);
      for (const access of ['wlan', '3g', 'wlan'] as const) {
        for (const media of [audio(8, 'sendonly'), audio(8), audio(0)]) {
          call.change(side, [media], [media.map((line) => line.replace('sendonly', 'recvonly'))]);
          call.run(1000);
          assert.ok(lastHeard(call, otherOf(side)).includes(media[1]!), 'the other side hears of it');
          assert.ok(lastHeard(call, otherOf(side)).includes(media[0]!.slice(-2)));
        }
        call.lab.mobile.setAccess(access, true);
        call.lab.mobile.requestHandover(access);
        call.run(2000);
        assert.equal(call.lab.mobile.machine.status().sessions[0]?.access, access);
      }
      assert.ok(call[side].statusCodes.every((code) => code === 200));
      assertStable(call);
    });

    test(`TRIM: a change from the ${side} that meets a handover is carried out, and so is the handover (${formText})`, () => {
      for (let afterMs = 0; afterMs < 60; afterMs += 3) {
        const call = new ChangeableCall(form);
        call.lab.mobile.setAccess('wlan', true);
        call.run(afterMs);
        call.change(side, [audio(0, 'sendonly')], [audio(0, 'recvonly')]);
        call.run(20_000);
        const context = `change after ${afterMs} ms`;
        assert.equal(call.lab.mobile.machine.status().sessions[0]?.access, 'wlan', context);
        assert.equal(call[side].statusCodes.at(-1), 200, context);
        assert.match(lastHeard(call, otherOf(side)), /a=sendonly/, context);
        assertStable(call);
      }
    });

    test(`TRIM: a stream that the ${side} adds gets addresses of its own and moves too; taken away it is free (${formText})`, () => {
      const call = new ChangeableCall(form);
      call.change(side, [audio(), video()], [audio(), video(40_020)]);
      call.run(1000);
      const ports = (['phone', 'correspondent'] as const).map(
        (one) => /m=video (\d+)/.exec(lastHeard(call, one))?.[1],
      );
      assert.ok(
        ports.every((port) => Number(port) >= 20_002),
        `translator ports: ${ports}`,
      );
      call.lab.mobile.setAccess('wlan', true);
      call.run(2000);
      call.change(side, [audio(), video()], [audio(), video(40_020)]);
      call.run(1000);
      for (const [index, one] of (['phone', 'correspondent'] as const).entries())
        assert.equal(
          /m=video (\d+)/.exec(lastHeard(call, one))?.[1],
          ports[index],
          'the same after the move',
        );
      call.change(side, [audio(), video(0)], [audio(), video(0)]);
      call.run(1000);
      for (const one of ['phone', 'correspondent'] as const) assert.match(lastHeard(call, one), /m=video 0 /);
      assertStable(call);
    });

    test(`TRIM: a stream that the ${side} adds and the other refuses leaves the first as it was (${formText})`, () => {
      const call = new ChangeableCall(form);
      call.change(side, [audio(), video()], [audio(), video(0)]);
      call.run(1000);
      assert.match(lastHeard(call, side), /m=video 0 /);
      call.lab.mobile.setAccess('wlan', true);
      call.run(2000);
      assert.equal(call.lab.mobile.machine.status().sessions[0]?.access, 'wlan');
      assertStable(call);
    });

    test(`TRIM: an offer of the ${side} without connection line is refused with 488, and the session stays (${formText})`, () => {
      const call = new ChangeableCall(form);
      const broken = description(side, audio()).replace(/c=.*\r\n/, '');
      call.perform(side, (now) => call[side].change(broken, now));
      call.run(1000);
      assert.equal(call[side].statusCodes.at(-1), 488);
      call.lab.mobile.setAccess('wlan', true);
      call.run(2000);
      assert.equal(call.lab.mobile.machine.status().sessions[0]?.access, 'wlan');
      assertStable(call);
    });
  }
}

for (const caller of ['phone', 'correspondent'] as const)
  test(`TRIM: a telephone that knows TCP only is reached by it throughout (the ${caller} calls)`, () => {
    const form = { withReservation: false, proxyCscfs: 'shared' } as const;
    const call = new ChangeableCall({ ...form, caller, phoneTransport: 'tcp' });
    for (const side of ['phone', 'correspondent'] as const) {
      call.change(side, [audio(0)]);
      call.run(1000);
      assert.equal(call[side].statusCodes.at(-1), 200);
    }
    call.perform('correspondent', (now) => call.correspondent.hangUp(now));
    call.run(1000);
    assert.deepEqual([call.phone.isEnded, call.correspondent.isEnded], [true, true]);
  });
