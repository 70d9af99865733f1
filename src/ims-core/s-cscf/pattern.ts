/**
 * S-CSCF (TRIM Fig. 1): the extended regular expressions of initial filter criteria (TS 29.228 annex F, POSIX.1 §9.4), bounded.
 *
 * An expression becomes a nondeterministic automaton whose whole state set is stepped per octet (Thompson 1968), so one match costs
 * at most states × octets whatever the subscriber profile says; a backtracking engine could be stopped by one bad profile.
 * Comparison ignores the case of ASCII letters. Left out: back-references (not in POSIX extended expressions), collating symbols.
 */
import { Malformed } from '../../base/malformed.ts';
import { maximumPatternLength, maximumPatternStates, maximumPatternText } from './limits.ts';

/** An octet is accepted, an empty step forks, or a position is asserted; the last state accepts. */
type State =
  | { readonly kind: 'octet'; readonly accepts: Uint8Array; next: number }
  | { readonly kind: 'fork'; readonly next: number[] }
  | { readonly kind: 'begin' | 'end'; next: number }
  | { readonly kind: 'accept' };

type Node =
  | { readonly kind: 'empty' }
  | { readonly kind: 'octet'; readonly accepts: Uint8Array }
  | { readonly kind: 'begin' | 'end' }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly least: number; readonly most: number };

const unlimited = Number.POSITIVE_INFINITY;

export class Pattern {
  readonly source: string;
  readonly #states: readonly State[];
  readonly #start: number;

  private constructor(source: string, states: readonly State[], start: number) {
    this.source = source;
    this.#states = states;
    this.#start = start;
  }

  /** Never throws; what is not an expression, or too large a one, is `Malformed`. */
  static parse(source: string): Pattern | Malformed {
    if (source.length > maximumPatternLength) {
      return new Malformed('pattern', maximumPatternLength, `at most ${maximumPatternLength} octets`);
    }
    const node = new PatternParser(source).parse();
    if (node instanceof Malformed) return node;
    if (countStates(node) > maximumPatternStates) {
      return new Malformed('pattern', 0, `at most ${maximumPatternStates} states`);
    }
    const states: State[] = [{ kind: 'accept' }];
    const start = compile(node, 0, states);
    return new Pattern(source, states, start);
  }

  isFoundIn(text: string): boolean {
    return this.#run(text, false);
  }

  matchesWhole(text: string): boolean {
    return this.#run(text, true);
  }

  /** Only the first `maximumPatternText` octets count. */
  #run(text: string, whole: boolean): boolean {
    const end = text.length;
    let current = new Set<number>();
    for (let position = 0; ; position += 1) {
      if (position === 0 || !whole) this.#enter(this.#start, position, end, current);
      if (current.has(0) && (!whole || position === end)) return true;
      if (position >= Math.min(end, maximumPatternText)) return false;
      const octet = text.charCodeAt(position) & 0xff;
      const following = new Set<number>();
      for (const index of current) {
        const state = this.#states[index]!;
        if (state.kind === 'octet' && state.accepts[octet] === 1) {
          this.#enter(state.next, position + 1, end, following);
        }
      }
      current = following;
    }
  }

  /** Adds a state and all that empty steps reach from it; an explicit stack, since a profile chooses the depth. */
  #enter(start: number, position: number, end: number, into: Set<number>): void {
    const pending = [start];
    for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
      if (into.has(index)) continue;
      into.add(index);
      const state = this.#states[index]!;
      if (state.kind === 'fork') pending.push(...state.next);
      if (state.kind === 'begin' && position === 0) pending.push(state.next);
      if (state.kind === 'end' && position === end) pending.push(state.next);
    }
  }
}

function countStates(node: Node): number {
  switch (node.kind) {
    case 'empty':
      return 0;
    case 'sequence':
    case 'choice':
      return node.parts.reduce((sum, part) => sum + countStates(part), 1);
    case 'repeat':
      return (
        1 + (countStates(node.part) + 1) * Math.max(node.least + 1, node.most === unlimited ? 0 : node.most)
      );
    default:
      return 1;
  }
}

/** Appends the states of a node that leads on to `next`; returns where it begins. */
function compile(node: Node, next: number, states: State[]): number {
  switch (node.kind) {
    case 'empty':
      return next;
    case 'octet':
      return states.push({ kind: 'octet', accepts: node.accepts, next }) - 1;
    case 'begin':
    case 'end':
      return states.push({ kind: node.kind, next }) - 1;
    case 'sequence':
      return node.parts.reduceRight((following, part) => compile(part, following, states), next);
    case 'choice':
      return states.push({ kind: 'fork', next: node.parts.map((part) => compile(part, next, states)) }) - 1;
    case 'repeat':
      return compileRepeat(node, next, states);
  }
}

function compileRepeat(node: Node & { kind: 'repeat' }, next: number, states: State[]): number {
  let following = next;
  if (node.most === unlimited) {
    const loop: State = { kind: 'fork', next: [next] };
    const index = states.push(loop) - 1;
    loop.next.push(compile(node.part, index, states));
    following = index;
  } else {
    for (let count = node.least; count < node.most; count += 1) {
      following = states.push({ kind: 'fork', next: [next, compile(node.part, following, states)] }) - 1;
    }
  }
  for (let count = 0; count < node.least; count += 1) following = compile(node.part, following, states);
  return following;
}

/** Recursive descent; depth is bounded by the length of the source. */
class PatternParser {
  readonly #source: string;
  #offset = 0;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Node | Malformed {
    const node = this.#choice();
    if (node instanceof Malformed) return node;
    return this.#offset === this.#source.length ? node : this.#malformed('a parenthesis was not opened');
  }

  #choice(): Node | Malformed {
    const parts: Node[] = [];
    do {
      const part = this.#sequence();
      if (part instanceof Malformed) return part;
      parts.push(part);
    } while (this.#takes('|'));
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts };
  }

  #sequence(): Node | Malformed {
    const parts: Node[] = [];
    while (this.#offset < this.#source.length && this.#peek() !== '|' && this.#peek() !== ')') {
      const atom = this.#atom();
      if (atom instanceof Malformed) return atom;
      const repeated = this.#repetitions(atom);
      if (repeated instanceof Malformed) return repeated;
      parts.push(repeated);
    }
    return parts.length === 0 ? { kind: 'empty' } : { kind: 'sequence', parts };
  }

  #repetitions(atom: Node): Node | Malformed {
    let node = atom;
    for (;;) {
      if (this.#takes('*')) node = { kind: 'repeat', part: node, least: 0, most: unlimited };
      else if (this.#takes('+')) node = { kind: 'repeat', part: node, least: 1, most: unlimited };
      else if (this.#takes('?')) node = { kind: 'repeat', part: node, least: 0, most: 1 };
      else if (this.#peek() === '{') {
        const interval = this.#interval(node);
        if (interval instanceof Malformed) return interval;
        node = interval;
      } else return node;
    }
  }

  #interval(part: Node): Node | Malformed {
    const match = /^\{([0-9]{1,3})(,?)([0-9]{0,3})\}/.exec(this.#source.slice(this.#offset));
    if (match === null) return this.#malformed('an interval is {n}, {n,} or {n,m}');
    const least = Number(match[1]);
    const most = match[2] === '' ? least : match[3] === '' ? unlimited : Number(match[3]);
    if (most < least || (match[2] === '' && match[3] !== '')) return this.#malformed('{n,m} with n ≤ m');
    this.#offset += match[0].length;
    return { kind: 'repeat', part, least, most };
  }

  #atom(): Node | Malformed {
    const character = this.#source[this.#offset]!;
    if (character === '[') return this.#bracket();
    this.#offset += 1;
    switch (character) {
      case '(':
        return this.#group();
      case '.':
        return { kind: 'octet', accepts: new Uint8Array(256).fill(1) };
      case '^':
        return { kind: 'begin' };
      case '$':
        return { kind: 'end' };
      case '*':
      case '+':
      case '?':
      case '{':
        return this.#malformed(`nothing before ${character} to repeat`);
      case '\\':
        return this.#escaped();
      default:
        return octets(character);
    }
  }

  #group(): Node | Malformed {
    const node = this.#choice();
    if (node instanceof Malformed) return node;
    return this.#takes(')') ? node : this.#malformed('a parenthesis is not closed');
  }

  #escaped(): Node | Malformed {
    const character = this.#source[this.#offset];
    if (character === undefined) return this.#malformed('nothing after the backslash');
    this.#offset += 1;
    return octets(character);
  }

  /** POSIX.1 §9.3.5: "]" first is itself, "^" first negates, "-" first or last is itself, no escapes inside. */
  #bracket(): Node | Malformed {
    this.#offset += 1;
    const negated = this.#takes('^');
    const accepts = new Uint8Array(256);
    for (let isFirst = true; isFirst || this.#peek() !== ']'; isFirst = false) {
      const problem = this.#bracketItem(accepts);
      if (problem !== undefined) return problem;
    }
    this.#offset += 1;
    if (negated) for (let octet = 0; octet < 256; octet += 1) accepts[octet] = 1 - accepts[octet]!;
    return { kind: 'octet', accepts };
  }

  #bracketItem(accepts: Uint8Array): Malformed | undefined {
    const named = /^\[:([a-z]+):\]/.exec(this.#source.slice(this.#offset));
    if (named !== null) {
      const characters = characterClasses.get(named[1]!);
      if (characters === undefined) return this.#malformed(`no character class ${named[1]}`);
      this.#offset += named[0].length;
      for (let octet = 0; octet < 128; octet += 1) {
        if (characters.test(String.fromCharCode(octet))) acceptBothCases(accepts, octet);
      }
      return undefined;
    }
    const first = this.#octet();
    if (first === undefined) return this.#malformed('a bracket is not closed');
    const isRange = this.#peek() === '-' && this.#source[this.#offset + 1] !== ']';
    if (isRange) this.#offset += 1;
    const last = isRange ? this.#octet() : first;
    if (last === undefined || last < first) return this.#malformed('a range runs upwards');
    for (let octet = first; octet <= last; octet += 1) acceptBothCases(accepts, octet);
    return undefined;
  }

  #octet(): number | undefined {
    const code = this.#source.charCodeAt(this.#offset);
    if (Number.isNaN(code)) return undefined;
    this.#offset += 1;
    return code & 0xff;
  }

  #peek(): string | undefined {
    return this.#source[this.#offset];
  }

  #takes(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#offset += 1;
    return true;
  }

  #malformed(rule: string): Malformed {
    return new Malformed('pattern', this.#offset, rule);
  }
}

const characterClasses: ReadonlyMap<string, RegExp> = new Map([
  ['alpha', /[A-Za-z]/],
  ['digit', /[0-9]/],
  ['alnum', /[A-Za-z0-9]/],
  ['upper', /[A-Z]/],
  ['lower', /[a-z]/],
  ['space', /[ \t-\r]/],
  ['blank', /[ \t]/],
  ['punct', /[!-/:-@[-`{-~]/],
  ['xdigit', /[0-9A-Fa-f]/],
]);

function octets(character: string): Node {
  const accepts = new Uint8Array(256);
  acceptBothCases(accepts, character.charCodeAt(0) & 0xff);
  return { kind: 'octet', accepts };
}

function acceptBothCases(accepts: Uint8Array, octet: number): void {
  accepts[octet] = 1;
  const isLetter = (octet | 0x20) >= 0x61 && (octet | 0x20) <= 0x7a;
  if (isLetter) accepts[octet ^ 0x20] = 1;
}
