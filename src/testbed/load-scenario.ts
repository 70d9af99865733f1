/** The scenarios that come with the package, and those of users: YAML files, checked (scenario-source.ts). */
import { existsSync, readdirSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TrimaranError } from '../base/trimaran-error.ts';
import { loadConfiguration } from '../runtime/configuration/load-configuration.ts';
import { nearestName } from '../runtime/configuration/nearest-name.ts';
import type { Scenario } from './scenario.ts';
import { scenarioSchema } from './scenario-source.ts';

/** The scenarios that come with the package; the sources are part of it, beside what was compiled from them. */
const folder = fileURLToPath(new URL('../../../src/testbed/scenarios/', import.meta.url));

export function listScenarios(): { readonly name: string; readonly title: string }[] {
  return scenarioNames().map((name) => {
    const { title } = loadConfiguration(fileOf(name), scenarioSchema);
    return { name, title };
  });
}

/** By name, or from a file of one's own (a path, or anything that ends in .yaml). Throws UNKNOWN_SCENARIO or CONFIGURATION_INVALID. */
export function loadScenario(nameOrFile: string): Scenario {
  const isFile = ['.yaml', '.yml'].includes(extname(nameOrFile)) || nameOrFile.includes('/');
  if (!isFile && !existsSync(fileOf(nameOrFile))) {
    const nearest = nearestName(nameOrFile, scenarioNames());
    const hint = nearest === undefined ? '' : ` (did you mean "${nearest}"?)`;
    throw new TrimaranError('UNKNOWN_SCENARIO', `there is no scenario "${nameOrFile}"${hint}`, {
      remedy: 'List them with "trimaran lab run --list", or give the path of a file of your own.',
    });
  }
  return loadConfiguration(isFile ? nameOrFile : fileOf(nameOrFile), scenarioSchema);
}

function scenarioNames(): string[] {
  return readdirSync(folder)
    .filter((file) => extname(file) === '.yaml')
    .map((file) => basename(file, '.yaml'))
    .sort();
}

function fileOf(name: string): string {
  return `${folder}${name}.yaml`;
}
