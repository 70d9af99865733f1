/**
 * The picture that a lab run shows on a terminal of 80 columns: progress, a line per access, the ladder of messages as they come, a bar
 * per handover with the four times of TRIM §4.4. Text and colour only: whoever shows it moves the cursor.
 */
import type { Instant } from '../base/instant.ts';
import type { TraceEntry } from '../base/trace.ts';
import { formatLadder } from '../observation/message-ladder.ts';
import { labLadder } from '../testbed/lab-ladder.ts';
import type { AccessState, LabProgress } from '../testbed/lab-progress.ts';
import type { HandoverResult } from '../testbed/lab-result.ts';
import type { Scenario } from '../testbed/scenario.ts';

const width = 80;
/** Messages of the latest handover; older ones have scrolled out of sight. */
const keptMessages = 400;
const shownHandovers = 3;
/** The other end's record of a message may come this much later; until then it is not drawn, or it would look lost. */
const settleMs = 150;

export class LabFrame {
  readonly #scenario: Scenario;
  readonly #tierLines: readonly string[];
  #stage = '';
  #startedAt: Instant | undefined;
  #now: Instant = 0;
  #messages: TraceEntry[] = [];
  #accesses: readonly AccessState[] = [];
  readonly #handovers: HandoverResult[] = [];

  constructor(scenario: Scenario, tierLines: readonly string[]) {
    this.#scenario = scenario;
    this.#tierLines = tierLines;
  }

  take(progress: LabProgress): void {
    switch (progress.kind) {
      case 'stage-began':
        this.#stage = progress.text;
        break;
      case 'traffic-began':
        this.#startedAt = progress.at;
        this.#stage = 'traffic flows';
        break;
      case 'traffic-ended':
        this.#stage = 'traffic has ended';
        break;
      case 'step-taken':
        this.#stage = progress.text;
        break;
      case 'message-seen':
        this.#messages.push(progress.entry);
        if (this.#messages.length > keptMessages) this.#messages.shift();
        break;
      case 'handover-began':
        this.#messages = this.#messages.filter(({ at }) => at >= progress.at);
        this.#stage = `handover ${progress.from ?? '(none)'} > ${progress.to}`;
        break;
      case 'handover-completed':
        this.#handovers.push(progress.handover);
        this.#stage = 'traffic flows';
        break;
      case 'accesses-measured':
        this.#accesses = progress.accesses;
        this.#now = progress.at;
        break;
    }
  }

  /** At most `rows` − 1 lines. */
  lines(rows: number): string[] {
    const above = [
      bold(clip(`trimaran lab · ${this.#scenario.title}`)),
      ...this.#tierLines.map((line) => dim(clip(line))),
      '',
      this.#progressLine(),
      ...this.#accesses.map(accessLine),
      '',
    ];
    const below = this.#handoverLines();
    const room = Math.max(3, rows - 1 - above.length - below.length);
    return [...above, ...this.#ladderLines(room), ...below];
  }

  #progressLine(): string {
    const total = this.#scenario.durationMs;
    const elapsed =
      this.#startedAt === undefined ? 0 : Math.min(total, Math.max(0, this.#now - this.#startedAt));
    const filled = Math.round((elapsed / total) * 20);
    const bar = `${'█'.repeat(filled)}${'░'.repeat(20 - filled)}`;
    return clip(`${bar} ${(elapsed / 1000).toFixed(0).padStart(3)} of ${total / 1000} s  ${this.#stage}`);
  }

  /** The heading and the latest arrows. */
  #ladderLines(room: number): string[] {
    const settled = this.#messages.filter(({ at }) => at <= this.#now - settleMs);
    if (settled.length === 0) return Array.from({ length: room }, () => '');
    const { entries, options } = labLadder(settled);
    const [heading = '', ...arrows] = formatLadder(entries, options);
    const lines = [dim(heading), ...arrows.slice(-(room - 2)), ''];
    return [...lines, ...Array.from({ length: room - lines.length }, () => '')];
  }

  #handoverLines(): string[] {
    const shown = this.#handovers.slice(-shownHandovers);
    const longest = Math.max(1, ...shown.map((handover) => sum(termsOf(handover))));
    const legend = terms.map(({ name, draw }) => `${draw('■')} ${name}`).join('  ');
    return shown.length === 0 ? [] : [legend, ...shown.map((handover) => handoverLine(handover, longest))];
  }
}

function accessLine({ name, address, isUp, isCurrent, ...rates }: AccessState): string {
  const state = isCurrent ? 'carries' : isUp ? 'up' : 'down';
  const { downlinkBitsPerSecond, uplinkBitsPerSecond, load, utility } = rates;
  const [down, up] = [downlinkBitsPerSecond, uplinkBitsPerSecond].map((rate) =>
    (rate / 1e6).toFixed(2).padStart(6),
  );
  const policy =
    load === undefined ? '' : `   RNL ${load.toFixed(0).padStart(4)} ms   U ${(utility ?? 0).toFixed(2)}`;
  const place = `${name.padEnd(6)}${address.padEnd(11)}${state.padEnd(8)}`;
  const line = `${isCurrent ? '●' : '○'} ${place} down ${down}  up ${up} Mbit/s${policy}`;
  return isCurrent ? green(line) : isUp ? line : dim(line);
}

const barWidth = 30;

function handoverLine(handover: HandoverResult, longest: number): string {
  const { atMs, from, to, kind, totalMs } = handover;
  const text = `${(atMs / 1000).toFixed(1).padStart(6)} s ${`${from ?? '(none)'} > ${to}`.padEnd(12)} ${kind.padEnd(5)}`;
  const values = termsOf(handover);
  const bar = terms.map(({ draw }, index) => {
    const share = ((values[index] ?? 0) / longest) * barWidth;
    return draw('█'.repeat(Math.round(share)));
  });
  const figures = values.map((ms) => ms.toFixed(0)).join('+');
  return `${text} ${figures.padEnd(13)} ${totalMs.toFixed(0).padStart(4)} ms ${bar.join('')}`;
}

function termsOf({ tAttachMs, tActSigMs, tRegisterMs, tSipMs }: HandoverResult): number[] {
  return [tAttachMs, tActSigMs, tRegisterMs, tSipMs];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function clip(text: string): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** The four terms in colours that differ on dark and light grounds. */
const terms = [
  { name: 'T_attach', draw: sgr('35') },
  { name: 'T_act-sig', draw: sgr('33') },
  { name: 'T_register', draw: sgr('36') },
  { name: 'T_sip', draw: sgr('34') },
] as const;

const bold: (text: string) => string = sgr('1');
const dim: (text: string) => string = sgr('2');
const green: (text: string) => string = sgr('32');

function sgr(code: string): (text: string) => string {
  return (text) => (text === '' ? '' : `\x1b[${code}m${text}\x1b[0m`);
}
