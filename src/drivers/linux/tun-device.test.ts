import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { tunObstacle } from './tun-device.ts';

test('tunObstacle tells a missing device from one that the user may not open, each with the command that mends it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-tun-'));
  const path = join(folder, 'tun');
  assert.match(tunObstacle(path)?.remedy ?? '', /sudo modprobe tun$/);
  writeFileSync(path, '');
  assert.equal(tunObstacle(path), undefined);
  chmodSync(path, 0);
  // Root may open everything.
  const isRoot = process.getuid?.() === 0;
  assert.equal(
    tunObstacle(path)?.remedy,
    isRoot ? undefined : `Let users open it, as udev does: sudo chmod 666 ${path}`,
  );
  rmSync(folder, { recursive: true });
});
