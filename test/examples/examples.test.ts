/** Every file in examples/ is what its role takes: a reader can start from any of them. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfiguration } from '../../src/runtime/configuration/load-configuration.ts';
import { addressTranslatorRole } from '../../src/runtime/roles/address-translator.ts';
import { correspondentNodeRole } from '../../src/runtime/roles/correspondent-node.ts';
import { homeAgentRole } from '../../src/runtime/roles/home-agent.ts';
import { imsCoreRole } from '../../src/runtime/roles/ims-core.ts';
import { mobileNodeRole } from '../../src/runtime/roles/mobile-node.ts';
import { trimAsRole } from '../../src/runtime/roles/trim-as.ts';

const roles = [
  addressTranslatorRole,
  correspondentNodeRole,
  homeAgentRole,
  imsCoreRole,
  mobileNodeRole,
  trimAsRole,
] as const;

test('examples: there is one configuration file for each role, and no other', () => {
  const files = readdirSync('examples').filter((name) => name.endsWith('.yaml'));
  assert.deepEqual(files.sort(), roles.map(({ name }) => `${name}.yaml`).sort());
});

for (const role of roles) {
  test(`examples/${role.name}.yaml is a configuration that the role accepts`, () => {
    assert.doesNotThrow(() => loadConfiguration<unknown>(join('examples', `${role.name}.yaml`), role.schema));
  });
}
