/** `kernelTest` for what needs a TUN device: where /dev/net/tun is not there for this user, the tests are skipped with the reason. */
import { accessSync, constants } from 'node:fs';
import { test } from 'node:test';
import { kernelTest } from './own-namespace.ts';

export function tunnelTest(name: string, body: () => void | Promise<void>): void {
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch (error) {
    void test(name, { skip: `no TUN device: ${(error as Error).message}` }, body);
    return;
  }
  kernelTest(name, body);
}
