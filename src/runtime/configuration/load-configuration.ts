/**
 * Reads a role's YAML configuration file and checks it against the role's schema. All that is wrong is told at once, each with
 * file, line, column and what was probably meant; keys that the schema does not know are refused.
 */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { TrimaranError } from '../../base/trimaran-error.ts';
import { FileReference } from './file-reference.ts';
import { knownKeys } from './known-keys.ts';
import { nearestName } from './nearest-name.ts';

type Path = readonly PropertyKey[];

interface Fault {
  readonly offset: number;
  readonly text: string;
}

/** Throws CONFIGURATION_UNREADABLE or CONFIGURATION_INVALID. */
export function loadConfiguration<Configuration>(
  file: string,
  schema: z.ZodType<Configuration>,
): Configuration {
  const lines = new LineCounter();
  const document = parseDocument(readText(file), { lineCounter: lines, prettyErrors: false });
  const faults: Fault[] = document.errors.map((error) => ({ offset: error.pos[0], text: error.message }));
  if (faults.length > 0) throw invalid(file, lines, faults);
  const result = schema.safeParse(document.toJS() ?? {}, { reportInput: true });
  if (!result.success) {
    const all = result.error.issues.flatMap((issue) => describe(issue, document, schema));
    throw invalid(file, lines, all);
  }
  const unread = readReferences(result.data, dirname(file), []).map(({ path, reason }) => ({
    offset: offsetOf(document, path),
    text: `${formatPath(path)}: ${reason}`,
  }));
  if (unread.length > 0) throw invalid(file, lines, unread);
  return result.data;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TrimaranError('CONFIGURATION_UNREADABLE', `cannot read ${file}: ${reason}`, {
      cause,
      remedy: 'Give the path of a configuration file with -c FILE.',
    });
  }
}

function describe(issue: z.core.$ZodIssue, document: Document, schema: z.ZodType): Fault[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      offset: keyOffset(document, issue.path, key),
      text: `${formatPath([...issue.path, key])}: unknown key${hint(key, knownKeys(schema, issue.path))}`,
    }));
  const text = issue.input === undefined ? 'is missing' : plainMessage(issue);
  return [{ offset: offsetOf(document, issue.path), text: `${formatPath(issue.path)}: ${text}` }];
}

function plainMessage(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') {
    const allowed = issue.values.map(String);
    return `must be ${allowed.join(', ').replace(/, ([^,]*)$/, ' or $1')}${hint(String(issue.input), allowed)}`;
  }
  return issue.message.replace(/^Invalid input: /, '');
}

function hint(wrong: string, right: readonly string[]): string {
  const nearest = nearestName(wrong, right);
  return nearest === undefined ? '' : ` (did you mean "${nearest}"?)`;
}

/** Where the value stands, or the nearest thing around it that the file has. */
function offsetOf(document: Document, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}

function keyOffset(document: Document, path: Path, key: string): number {
  const map = path.length === 0 ? document.contents : document.getIn(path, true);
  const pair = isMap(map)
    ? map.items.find((item) => isScalar(item.key) && String(item.key.value) === key)
    : undefined;
  return isScalar(pair?.key) && pair.key.range ? pair.key.range[0] : offsetOf(document, path);
}

function formatPath(path: Path): string {
  if (path.length === 0) return 'the file';
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}

function readReferences(value: unknown, folder: string, path: Path): { path: Path; reason: string }[] {
  if (value instanceof FileReference) {
    try {
      value.read(folder);
      return [];
    } catch (error) {
      return [{ path, reason: error instanceof Error ? error.message : String(error) }];
    }
  }
  if (typeof value !== 'object' || value === null) return [];
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return entries.flatMap(([key, inner]) => readReferences(inner, folder, [...path, key]));
}

function invalid(file: string, lines: LineCounter, faults: readonly Fault[]): TrimaranError {
  const text = [...faults]
    .sort((a, b) => a.offset - b.offset)
    .map((fault) => {
      const { line, col } = lines.linePos(fault.offset);
      return `${file}:${line}:${col}: ${fault.text}`;
    });
  return new TrimaranError('CONFIGURATION_INVALID', text.join('\n'), {
    remedy: 'Correct the configuration file.',
  });
}
