/** Decisions of a mobile node for people (`trimaran why`): what was compared, one line per access, with every number in at most 80 columns. */
import type { DurationMs, Instant } from '../base/instant.ts';
import type { DecisionHistory } from '../mobile-node/access-selection/access-selection.ts';
import type { AccessDecision, AccessJudgement } from '../mobile-node/access-selection/access-selector.ts';

/** What a mobile node answers to "why"; `now` is of the clock that decisions have. */
export type DecisionAccount = DecisionHistory & { readonly now: Instant };

const maximumColumns = 80;

/** The present state, then the last handovers, the newest first. */
export function formatDecisions({ now, latest, moves }: DecisionAccount, last: number): string {
  if (latest === undefined) return 'Nothing was decided yet: no access has an address.\n';
  const place = latest.chosen === undefined ? 'no access can be used' : `on ${latest.chosen}`;
  const parts = [
    formatDecision(`Now: ${place}.`, latest),
    ...[...moves]
      .reverse()
      .slice(0, last)
      .map((move) => formatDecision(`${formatAge(now - move.at)} ago: ${formatMove(move)}.`, move)),
  ];
  return parts.join('\n');
}

function formatMove({ current, chosen }: AccessDecision): string {
  return `${current ?? 'no access'} → ${chosen ?? 'no access'}`;
}

function formatDecision(title: string, { judgements, classes = [] }: AccessDecision): string {
  const general = `${title}\n${formatJudgements(judgements)}`;
  const ofClasses = classes.map(
    (one) => `Class ${one.name}: ${one.chosen ?? 'no access'}.\n${formatJudgements(one.judgements)}`,
  );
  return [general, ...ofClasses].join('');
}

/** As a table; where a policy has more numbers than fit, as lists. */
function formatJudgements(judgements: readonly AccessJudgement[]): string {
  const names = [...new Set(judgements.flatMap(({ numbers }) => Object.keys(numbers)))];
  const rows = [
    ['access', ...names, 'verdict'],
    ...judgements.map(({ access, verdict, numbers }) => [
      access,
      ...names.map((name) => formatNumber(numbers[name])),
      verdict,
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const columns = widths.reduce((sum, width) => sum + width + 1, 1);
  if (columns > maximumColumns) return judgements.map((one) => formatList(one)).join('');
  const lines = rows.map((row) =>
    row.map((cell, column) => align(cell, widths[column] ?? 0, column === 0 || column > names.length)),
  );
  return lines.map((cells) => `  ${cells.join(' ').trimEnd()}\n`).join('');
}

function formatList({ access, verdict, numbers }: AccessJudgement): string {
  const pairs = Object.entries(numbers).map(([name, value]) => `${name} ${formatNumber(value)}`);
  const lines = [''];
  for (const pair of pairs) {
    const line = lines.at(-1) ?? '';
    if (line.length + pair.length + 6 > maximumColumns) lines.push(pair);
    else lines[lines.length - 1] = line === '' ? pair : `${line}, ${pair}`;
  }
  return `  ${access}: ${verdict}\n${lines.map((line) => `    ${line}\n`).join('')}`;
}

function align(text: string, width: number, isLeft: boolean): string {
  return isLeft ? text.padEnd(width) : text.padStart(width);
}

/** Four digits that count, or all those before the point. */
function formatNumber(value: number | undefined): string {
  if (value === undefined) return '–';
  if (Number.isInteger(value)) return String(value);
  const digits = Math.max(0, 3 - Math.floor(Math.log10(Math.max(1, Math.abs(value)))));
  return value.toFixed(digits);
}

function formatAge(ms: DurationMs): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
