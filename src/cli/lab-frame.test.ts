import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadScenario } from '../testbed/load-scenario.ts';
import { runInVirtualTime } from '../testbed/virtual-runner.ts';
import { LabFrame } from './lab-frame.ts';

for (const name of ['trim', 'mip-sip'])
  test(`LabFrame: at every moment of ${name}, and on every height of terminal, the picture fits 80 columns and the rows that there are`, () => {
    const scenario = loadScenario(name);
    const frame = new LabFrame(scenario, ['Runs in: virtual time (a test).']);
    let pictures = 0;
    runInVirtualTime({
      scenario,
      tell: (progress) => {
        frame.take(progress);
        if (progress.kind !== 'message-seen')
          frame.take(measuredAt('at' in progress ? progress.at + 200 : 0));
        for (const rows of [24, 50]) {
          const lines = frame.lines(rows).map(withoutColour);
          assert.ok(lines.length < rows, `${lines.length} lines on ${rows} rows`);
          for (const line of lines) assert.ok(line.length <= 80, line);
          pictures += 1;
        }
      },
    });
    assert.ok(pictures > 100);
  });

test('LabFrame: shows progress, accesses, messages and the four times of each handover', () => {
  const scenario = loadScenario('trim-udp');
  const frame = new LabFrame(scenario, []);
  let latestAt = 0;
  runInVirtualTime({
    scenario,
    tell: (progress) => {
      if ('at' in progress) latestAt = progress.at;
      frame.take(progress);
    },
  });
  frame.take(measuredAt(latestAt));
  const text = frame.lines(40).map(withoutColour).join('\n');
  assert.match(text, /█{20} +45 of 45 s/);
  assert.match(text, /● wlan +10\.2\.0\.2 +carries +down +1\.50 +up +0\.00 Mbit\/s +RNL 1235 ms +U 3\.46$/m);
  assert.match(text, /p-cscf +i-cscf +s-cscf +trim-as +translator/);
  assert.match(text, /◀─+200 OK─+│/);
  assert.match(text, /■ T_attach {2}■ T_act-sig {2}■ T_register {2}■ T_sip/);
  assert.match(text, /3g > wlan +soft +0\+0\+\d+\+\d+ +\d+ ms █+/);
});

function measuredAt(at: number) {
  return {
    kind: 'accesses-measured',
    at,
    accesses: [
      {
        name: 'wlan',
        address: '10.2.0.2',
        isUp: true,
        isCurrent: true,
        downlinkBitsPerSecond: 1.5e6,
        uplinkBitsPerSecond: 100,
        load: 1234.5,
        utility: 3.456,
      },
    ],
  } as const;
}

function withoutColour(line: string): string {
  return line.replace(/\x1b\[\d+m/g, '');
}
