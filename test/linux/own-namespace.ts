/**
 * Kernel tests live in network and process namespaces of their own (enter-namespace.ts): importing this file runs the importing test
 * file again inside them. What the test reports goes to the test runner unchanged. Where the machine forbids that, the tests are
 * skipped with the reason.
 */
import { existsSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { enterOwnNamespace } from './enter-namespace.ts';

// A test that failed half-way leaves sockets and threads open; the run goes on all the same.
after(() => void setTimeout(() => process.exit(), 1000).unref());

/** Why no kernel test can run here; undefined when they can. */
export const skipReason: string | undefined = enterOwnNamespace();

/** `test`, skipped with the reason where the kernel may not be touched, or something that the test needs is missing. */
export function kernelTest(
  name: string,
  body: () => void | Promise<void>,
  needs: KernelTestNeeds = {},
): void {
  void test(name, { skip: skipReason ?? missingOf(needs) ?? false, timeout: 60_000 }, body);
}

export interface KernelTestNeeds {
  /** Debian packages, with a program of each. */
  readonly packages?: Readonly<Record<string, string>>;
  /** Other users too, as only root has: a user namespace has one. */
  readonly manyUsers?: boolean;
}

function missingOf({ packages = {}, manyUsers }: KernelTestNeeds): string | undefined {
  for (const [name, program] of Object.entries(packages))
    if (!existsSync(program)) return `${program} is missing: apt-get install ${name}`;
  const [, , users] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/);
  return manyUsers && users === '1' ? 'it needs root, not a user namespace' : undefined;
}
