import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseShaping } from './link-shaping.ts';
import { loadScenario } from './load-scenario.ts';

const shapersOf = (...args: Parameters<typeof chooseShaping>): string[] =>
  chooseShaping(...args).map(({ link, by, reason }) => `${link}: ${by}, ${reason}`);
const [there, missing] = [() => true, () => false];

test('chooseShaping: netem where the kernel has it, the emulator elsewhere', () => {
  const scenario = loadScenario('trim');
  assert.deepEqual(shapersOf(scenario, there), [
    '3g: netem, the kernel has it',
    'wlan: netem, the kernel has it',
  ]);
  assert.deepEqual(shapersOf(scenario, missing)[0], '3g: emulator, the kernel has no netem');
});

test('chooseShaping: a link that the run changes is the emulator’s, and the others are not', () => {
  const scenario = { ...loadScenario('trim-control'), links: 'auto' } as const;
  assert.deepEqual(shapersOf(scenario, there), [
    '3g: emulator, the run changes it',
    'wlan: netem, the kernel has it',
  ]);
});

test('chooseShaping: a line that netem cannot be is the emulator’s', () => {
  const { accesses, ...scenario } = loadScenario('trim');
  const bursty = accesses.map(({ profile, ...access }) => ({
    ...access,
    profile: { ...profile, downlink: { ...profile.downlink, burstOctets: 3000 } },
  }));
  assert.match(shapersOf({ ...scenario, accesses: bursty }, there)[0] ?? '', /^3g: emulator, .*bursts/);
  const forced = () => chooseShaping({ ...scenario, accesses: bursty, links: 'netem' }, there);
  assert.throws(forced, { code: 'NO_NETEM', message: /"3g".*bursts/ });
});

test('chooseShaping: who asks for one of them gets it, or is told that it is not there', () => {
  const scenario = loadScenario('trim-control');
  const by = (links: 'emulator' | 'netem') => shapersOf({ ...scenario, links }, there)[0];
  assert.deepEqual([by('emulator'), by('netem')], ['3g: emulator, asked for', '3g: netem, asked for']);
  assert.throws(() => chooseShaping({ ...scenario, links: 'netem' }, missing), { code: 'NO_NETEM' });
});
