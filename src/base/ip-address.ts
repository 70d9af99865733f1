/**
 * IP addresses between their text and their octets. Text goes out in one canonical form (dotted decimal; RFC 5952 for IPv6), so
 * that equal addresses are equal strings, which network.ts and every map key of the project count on. Read and written by character, in
 * one pass: signalling reads addresses with every message, and a translator four for every binding that it changes.
 * Leaves out zone identifiers (RFC 4007) and the historic forms of inet_aton ("10.1", octal, hexadecimal).
 */

/** 4 or 16 octets in network order; undefined when the text is no IP address. */
export function parseIpAddress(text: string): Uint8Array | undefined {
  if (text.includes(':')) return parseIpv6(text);
  const bits = readIpv4(text, 0);
  if (bits === undefined) return undefined;
  const octets = new Uint8Array(4);
  writeBits(octets, 0, bits, 4);
  return octets;
}

/** The 32 bits of an IPv4 address, as `formatIpv4Bits` takes them; undefined when the text is none. */
export function parseIpv4Bits(text: string): number | undefined {
  return readIpv4(text, 0);
}

/** The family by which to choose tables and sockets; undefined when the text is no IP address. */
export function ipFamilyOf(text: string): 4 | 6 | undefined {
  if (text.includes(':')) return parseIpv6(text) && 6;
  return readIpv4(text, 0) === undefined ? undefined : 4;
}

/** The one text by which an address is compared with others; what is no address, such as a name, comes back as it is. */
export function canonicalIpAddress(text: string): string {
  // An IPv4 address has one text only.
  const octets = text.includes(':') ? parseIpv6(text) : undefined;
  return octets === undefined ? text : formatIpv6(octets);
}

/** The same of text that is known to be an address. */
export function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

/** Canonical text of 4 or 16 octets. */
export function formatIpAddress(octets: Uint8Array): string {
  return octets.length === 4 ? `${octets[0]}.${octets[1]}.${octets[2]}.${octets[3]}` : formatIpv6(octets);
}

export function formatIpv4Bits(bits: number): string {
  return `${dotted[bits >>> 24]}${dotted[(bits >>> 16) & 255]}${dotted[(bits >>> 8) & 255]}${bits & 255}`;
}

/** "0." to "255.": a text made of seven pieces leaves twice as many behind as one made of four. */
const dotted: readonly string[] = Array.from({ length: 256 }, (_, octet) => `${octet}.`);

/** The 32 bits of the address that goes from `start` to the end of the text. */
function readIpv4(text: string, start: number): number | undefined {
  let [bits, dots, value, digits] = [0, 0, 0, 0];
  for (let at = start; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (character === 46 && digits > 0) {
      bits = (bits << 8) | value;
      dots++;
      value = digits = 0;
      continue;
    }
    // A leading zero reads as octal elsewhere, so it is refused (RFC 6943 §3.1.1).
    if (character < 48 || character > 57 || (digits > 0 && value === 0)) return undefined;
    value = 10 * value + character - 48;
    digits++;
    if (value > 255) return undefined;
  }
  return dots === 3 && digits > 0 ? (bits << 8) | value : undefined;
}

/** What stands behind "::" is moved to the end, once it is known how much that is. */
function parseIpv6(text: string): Uint8Array | undefined {
  const octets = new Uint8Array(16);
  let [length, gap, at] = [0, -1, 0];
  if (text.startsWith('::')) [gap, at] = [0, 2];
  while (at < text.length) {
    const colon = text.indexOf(':', at);
    const written = writeGroup(octets, length, text, at, colon < 0 ? text.length : colon);
    if (written === 0) return undefined;
    length += written;
    if (colon < 0) break;
    at = colon + 1;
    if (text[at] === ':' && gap < 0) [gap, at] = [length, at + 1];
    else if (at === text.length) return undefined;
  }
  // "::" stands for at least one group of zeros (RFC 5952 §4.2.2 allows reading one).
  if (gap < 0 ? length !== 16 : length > 14) return undefined;
  if (gap >= 0) octets.copyWithin(16 - length + gap, gap, length).fill(0, gap, 16 - length + gap);
  return octets;
}

/** Octets written; 0 when there is no group. The very last 32 bits may be written as an IPv4 address (RFC 4291 §2.2). */
function writeGroup(octets: Uint8Array, at: number, text: string, start: number, end: number): number {
  const group = readGroup(text, start, end);
  const bits = group === undefined && end === text.length ? readIpv4(text, start) : undefined;
  const size = bits === undefined ? 2 : 4;
  if ((group ?? bits) === undefined || at + size > 16) return 0;
  writeBits(octets, at, group ?? bits ?? 0, size);
  return size;
}

function writeBits(octets: Uint8Array, at: number, bits: number, size: number): void {
  for (let i = 0; i < size; i++) octets[at + i] = bits >>> (8 * (size - 1 - i));
}

/** 1 to 4 hexadecimal digits. */
function readGroup(text: string, start: number, end: number): number | undefined {
  if (end === start || end - start > 4) return undefined;
  let value = 0;
  for (let at = start; at < end; at++) {
    const character = text.charCodeAt(at);
    const letter = character | 32;
    if (character >= 48 && character <= 57) value = (value << 4) | (character - 48);
    else if (letter >= 97 && letter <= 102) value = (value << 4) | (letter - 87);
    else return undefined;
  }
  return value;
}

function formatIpv6(octets: Uint8Array): string {
  const run = longestZeroRun(octets);
  const runEnd = run.start + run.length;
  let text = '';
  for (let group = 0; group < 8; group++) {
    if (group === run.start) {
      text += '::';
      group = runEnd - 1;
    } else text += `${group === 0 || group === runEnd ? '' : ':'}${groupOf(octets, group).toString(16)}`;
  }
  return text;
}

/** The first of the longest runs of zero groups; a single group is none (RFC 5952 §4.2.2, §4.2.3). */
function longestZeroRun(octets: Uint8Array): { readonly start: number; readonly length: number } {
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groupOf(octets, start + length) === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

function groupOf(octets: Uint8Array, group: number): number {
  return ((octets[2 * group] ?? 0) << 8) | (octets[2 * group + 1] ?? 0);
}
