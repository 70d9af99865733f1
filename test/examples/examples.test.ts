/** Every file in examples/ is what its role takes: a reader can start from any of them. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { imsDiagnosisSchema } from '../../src/runtime/configuration/ims-diagnosis.ts';
import { loadConfiguration } from '../../src/runtime/configuration/load-configuration.ts';
import { addressTranslatorRole } from '../../src/runtime/roles/address-translator.ts';
import { correspondentNodeRole } from '../../src/runtime/roles/correspondent-node.ts';
import { homeAgentRole } from '../../src/runtime/roles/home-agent.ts';
import { homeSubscriberServerRole } from '../../src/runtime/roles/hss.ts';
import { interrogatingCscfRole } from '../../src/runtime/roles/i-cscf.ts';
import { imsCoreRole } from '../../src/runtime/roles/ims-core.ts';
import { mobileNodeRole } from '../../src/runtime/roles/mobile-node.ts';
import { proxyCscfRole } from '../../src/runtime/roles/p-cscf.ts';
import { servingCscfRole } from '../../src/runtime/roles/s-cscf.ts';
import { sipServerRole } from '../../src/runtime/roles/sip-server.ts';
import { trimAsRole } from '../../src/runtime/roles/trim-as.ts';

const roles = [
  { name: 'doctor-ims', schema: imsDiagnosisSchema },
  addressTranslatorRole,
  correspondentNodeRole,
  homeAgentRole,
  homeSubscriberServerRole,
  imsCoreRole,
  interrogatingCscfRole,
  mobileNodeRole,
  sipServerRole,
  proxyCscfRole,
  servingCscfRole,
  trimAsRole,
] as const;

const files = readdirSync('examples').filter((name) => name.endsWith('.yaml'));

test('examples: there is a configuration file for each role, named after it, and no other', () => {
  for (const { name } of roles) assert.ok(files.includes(`${name}.yaml`), name);
  for (const file of files) assert.notEqual(roleOf(file), undefined, file);
});

for (const file of files) {
  test(`examples/${file} is a configuration that its role accepts`, () => {
    const role = roleOf(file);
    if (role !== undefined)
      assert.doesNotThrow(() => loadConfiguration<unknown>(join('examples', file), role.schema));
  });
}

/** Further examples of a role have its name and what they show. */
function roleOf(file: string): (typeof roles)[number] | undefined {
  return roles.find(({ name }) => file === `${name}.yaml` || file.startsWith(`${name}-`));
}
