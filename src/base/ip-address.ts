/**
 * IP addresses between their text and their octets. Text goes out in one canonical form (dotted decimal; RFC 5952 for IPv6), so
 * that equal addresses are equal strings, which network.ts and every map key of the project count on.
 * Leaves out zone identifiers (RFC 4007) and the historic forms of inet_aton ("10.1", octal, hexadecimal).
 */

/** 4 or 16 octets in network order; undefined when the text is no IP address. */
export function parseIpAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

/** The family by which to choose tables and sockets; undefined when the text is no IP address. */
export function ipFamilyOf(text: string): 4 | 6 | undefined {
  const octets = parseIpAddress(text);
  return octets && (octets.length === 4 ? 4 : 6);
}

/** Canonical text of 4 or 16 octets. */
export function formatIpAddress(octets: Uint8Array): string {
  return octets.length === 4 ? octets.join('.') : formatIpv6(octets);
}

/** By character: the address translator parses four addresses for every binding that it changes. */
function parseIpv4(text: string): Uint8Array | undefined {
  const octets = new Uint8Array(4);
  let [index, value, digits] = [0, 0, 0];
  for (let i = 0; i <= text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit >= 0 && digit <= 9) {
      // A leading zero reads as octal elsewhere, so it is refused (RFC 6943 §3.1.1).
      if (digits > 0 && value === 0) return undefined;
      value = 10 * value + digit;
      digits++;
      if (value > 255) return undefined;
    } else if (digits === 0 || index > 3 || (i < text.length && text[i] !== '.')) return undefined;
    else {
      octets[index++] = value;
      [value, digits] = [0, 0];
    }
  }
  return index === 4 ? octets : undefined;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = parseGroups(halves[1] ?? '', true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  // "::" stands for at least one group of zeros (RFC 5952 §4.2.2 allows reading one).
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const octets = new Uint8Array(16);
  [...head, ...new Array<number>(missing).fill(0), ...tail].forEach((group, index) => {
    octets[2 * index] = group >> 8;
    octets[2 * index + 1] = group & 255;
  });
  return octets;
}

/** The 16-bit groups of one half; the very last 32 bits may be written as an IPv4 address (RFC 4291 §2.2). */
function parseGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const v4 = isEnd && index === parts.length - 1 ? parseIpv4(part) : undefined;
    if (v4 === undefined) return undefined;
    groups.push(((v4[0] ?? 0) << 8) | (v4[1] ?? 0), ((v4[2] ?? 0) << 8) | (v4[3] ?? 0));
  }
  return groups;
}

function formatIpv6(octets: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((octets[2 * i] ?? 0) << 8) | (octets[2 * i + 1] ?? 0));
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  const run = longestZeroRun(groups);
  if (run.length < 2) return hex(groups);
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

/** The first of the longest runs of zero groups (RFC 5952 §4.2.3). */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
